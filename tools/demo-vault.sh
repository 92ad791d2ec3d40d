#!/usr/bin/env bash
# Prints the path of the Vault for the demo: $VAULT_BINARY, a recent enough Vault on PATH, or the
# pinned Vault, which is built if necessary. Only the demo may use a Vault from PATH, because a test
# must mean the same on every machine.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# The oldest minor version of Vault 1.x that the demo supports.
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
	echo "not using $found ($version): older than 1.$oldest" >&2
fi

make -C "$root" --no-print-directory vault >&2
echo "$root/bin/vault"
