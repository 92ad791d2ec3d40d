#!/usr/bin/env bash
# Fetches GitHub's own OpenAPI description, from the npm package that octokit
# publishes it in, and prints the path of the file on standard output;
# everything else goes to standard error. Tests hold the provider's requests
# and the test server's answers against it.
#
# It is never committed (13 MB, MIT licence): it lives outside the checkout, in
# ${XDG_CACHE_HOME:-~/.cache}/vault-stashbase/, under a name made of the pin.
# Exit code 3: there is no npm here to fetch it with.
set -euo pipefail

package=@octokit/openapi
version=23.0.2
# dist.integrity of the registry.
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
		## not here, so $package $version cannot be fetched.
		############################################################
	END
	exit 3
fi

mkdir -p "$cache"
# Beside the target, so that the last step is a rename and two fetches at once
# end with one whole file.
partial=$(mktemp -d "$cache/.github-openapi.XXXXXX")
trap 'rm -rf -- "$partial"' EXIT
echo "fetching $package $version (29 MB, once; kept in $cache)" >&2
(cd -- "$partial" && npm pack --silent --ignore-scripts "$package@$version" >&2)
archive=$(find "$partial" -name '*.tgz')
# node is there wherever npm is; the tools that check sums differ by platform.
got=$(node -e 'process.stdout.write(require("crypto").createHash("sha512").update(require("fs").readFileSync(process.argv[1])).digest("base64"))' "$archive")
if [[ $got != "$sha512" ]]; then
	echo "$package $version is not what it was: its SHA-512 is $got" >&2
	exit 1
fi
tar -xzf "$archive" -C "$partial" package/generated/api.github.com.json
mv -f -- "$partial/package/generated/api.github.com.json" "$file"
echo "$file"
