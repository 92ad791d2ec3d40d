#!/bin/sh
# Starts a program with every secret of the environment that the agent has rendered into $SECRETS, and without $SECRETS itself.
set -eu
eval "$SECRETS"
unset SECRETS
exec "$@"
