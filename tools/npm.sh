#!/usr/bin/env bash
# tools/npm.sh folder: installs the npm packages of a folder of tools/ into its node_modules, which
# git ignores. The folder's package-lock.json pins all packages with their checksums. Scripts of
# packages do not run. Prints the path of the folder on standard output, and everything else on
# standard error.
# Exit code 3: npm, which installs the packages, is not installed.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/$1"
# The stamp is written last, and it is a copy of the lock file: a changed lock file installs again.
if cmp -s package-lock.json node_modules/.installed; then
	pwd
	exit 0
fi
if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
	cat >&2 <<-END
		############################################################
		## NOT TESTED WITH THE PROGRAMS OF tools/$1:
		## npm is not installed.
		############################################################
	END
	exit 3
fi
echo "installing the npm packages of tools/$1 (once)" >&2
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
cp package-lock.json node_modules/.installed
pwd
