#!/usr/bin/env bash
# Builds the plugin a second time from a copy of the sources in another folder
# and compares the bytes.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
copy=$(mktemp -d)
trap 'rm -rf -- "$copy"' EXIT

# Tracked and new files, without what is ignored; one that is deleted in the
# work tree is still listed.
git ls-files -z --cached --others --exclude-standard -- go.mod go.sum GNUmakefile vault-plugin shared |
	while IFS= read -r -d '' file; do
		if [[ -e $file ]]; then printf '%s\0' "$file"; fi
	done | tar --null -T - -cf - | tar -xf - -C "$copy"
make --no-print-directory build >/dev/null
make --no-print-directory -C "$copy" build >/dev/null
plugin=bin/vault-plugin-secrets-stashbase
if ! cmp "$plugin" "$copy/$plugin"; then
	echo "two builds of the same sources differ" >&2
	exit 1
fi
echo "reproducible: $plugin $(git hash-object "$plugin" | cut -c1-12)"
