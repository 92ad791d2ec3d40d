#!/usr/bin/env bash
# Installs the programs of others that the tests of the provider github use: libsodium, which opens
# sealed boxes as GitHub does, and a simulator of GitHub. They go into
# tools/github-clients/node_modules, which git ignores. package-lock.json pins all packages with
# their checksums. Scripts of packages do not run. Prints the folder on standard output, and
# everything else on standard error.
# Exit code 3: npm, which installs the packages, is not installed.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/github-clients"
# The stamp is written last, and it is the lock file: another lock file installs again.
if cmp -s package-lock.json node_modules/.installed; then
	pwd
	exit 0
fi
if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
	cat >&2 <<-END
		############################################################
		## NOT CHECKED WITH LIBSODIUM AND A SIMULATOR OF GITHUB: npm
		## is not installed.
		############################################################
	END
	exit 3
fi
echo "installing the packages of tools/github-clients (once)" >&2
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
cp package-lock.json node_modules/.installed
pwd
