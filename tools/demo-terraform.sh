#!/usr/bin/env bash
# Prints the path of the Terraform for the demo: $TERRAFORM_BINARY, a recent enough tofu or
# terraform on PATH, or the pinned OpenTofu, which is built if necessary. Only the demo may use a
# program from PATH, because a test must mean the same on every machine.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# The first minor version 1.x of both that has write-only attributes.
oldest=11

if [[ -n ${TERRAFORM_BINARY:-} ]]; then
	echo "using TERRAFORM_BINARY: $TERRAFORM_BINARY" >&2
	echo "$TERRAFORM_BINARY"
	exit 0
fi

for name in tofu terraform; do
	if ! found=$(command -v "$name"); then continue; fi
	# The demo must not use a configuration file of this machine.
	version=$(TF_CLI_CONFIG_FILE=/dev/null CHECKPOINT_DISABLE=1 "$found" version 2>/dev/null | head -n 1 || true)
	if [[ $version =~ v([0-9]+)\.([0-9]+)\. ]] &&
		((BASH_REMATCH[1] > 1 || (BASH_REMATCH[1] == 1 && BASH_REMATCH[2] >= oldest))); then
		echo "using $found ($version)" >&2
		echo "$found"
		exit 0
	fi
	echo "not using $found ($version): older than 1.$oldest" >&2
done

make -C "$root" --no-print-directory terraform >&2
echo "$root/bin/tofu"
