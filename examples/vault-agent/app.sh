#!/bin/sh
# Stands for your program: it notes that it was started and with what, and then works until it is told to stop.
set -eu
printf 'started with LOG_LEVEL=%s GREETING=%s\n' "${LOG_LEVEL:-}" "${GREETING:-}" >> started.log
exec sleep 3600
