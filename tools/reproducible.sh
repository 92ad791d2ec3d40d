#!/usr/bin/env bash
# Builds both programs twice, the second time from a copy of the sources in another folder, and
# compares the bytes.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
copy=$(mktemp -d)
trap 'rm -rf -- "$copy"' EXIT

# Copies tracked and new files, without ignored ones. git still lists a file that is deleted in the
# work tree.
git ls-files -z --cached --others --exclude-standard -- go.mod go.sum GNUmakefile vault-plugin terraform-provider shared |
	while IFS= read -r -d '' file; do
		if [[ -e $file ]]; then printf '%s\0' "$file"; fi
	done | tar --null -T - -cf - | tar -xf - -C "$copy"
make --no-print-directory build >/dev/null
make --no-print-directory -C "$copy" build >/dev/null
for binary in bin/vault-plugin-secrets-stashbase bin/terraform-provider-stashbase; do
	if ! cmp "$binary" "$copy/$binary"; then
		echo "two builds of the same sources differ: $binary" >&2
		exit 1
	fi
	echo "reproducible: $binary $(git hash-object "$binary" | cut -c1-12)"
done
