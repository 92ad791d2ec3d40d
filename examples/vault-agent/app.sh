#!/bin/sh
# Takes the place of your program: logs its start and its values, then runs until it is stopped.
set -eu
printf 'started with LOG_LEVEL=%s GREETING=%s\n' "${LOG_LEVEL:-}" "${GREETING:-}" >> started.log
exec sleep 3600
