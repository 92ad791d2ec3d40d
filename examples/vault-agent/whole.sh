#!/bin/sh
# Starts a program with every secret of the environment. The agent has rendered the secrets into
# $SECRETS, which the program does not get.
set -eu
eval "$SECRETS"
unset SECRETS
exec "$@"
