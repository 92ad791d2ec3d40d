#!/usr/bin/env bash
# Prints the Vault for the demo: $VAULT_BINARY, a recent enough one on PATH, or
# the pinned one, built when need be. Only the demo may use a Vault from PATH:
# a test must mean the same on every machine.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# The oldest minor version of Vault 1.x that the demo works with.
oldest=18

if [[ -n ${VAULT_BINARY:-} ]]; then
	echo "using VAULT_BINARY: $VAULT_BINARY" >&2
	echo "$VAULT_BINARY"
	exit 0
fi

if found=$(command -v vault); then
	version=$("$found" version 2>/dev/null || true)
	if [[ $version =~ v([0-9]+)\.([0-9]+)\. ]] &&
		((BASH_REMATCH[1] > 1 || (BASH_REMATCH[1] == 1 && BASH_REMATCH[2] >= oldest))); then
		echo "using $found ($version)" >&2
		echo "$found"
		exit 0
	fi
	echo "passing over $found ($version): older than 1.$oldest" >&2
fi

make -C "$root" --no-print-directory vault >&2
echo "$root/bin/vault"
