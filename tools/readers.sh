#!/usr/bin/env bash
# Installs the readers of dotenv files that npm provides into tools/readers/node_modules, which git
# ignores. tools/readers/package-lock.json pins all packages with their checksums. Scripts of
# packages do not run. Prints the folder of the readers on standard output, and everything else on
# standard error.
# Exit code 3: npm, which installs the packages, is not installed.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/readers"
# The stamp is written last, and it is the lock file: another lock file installs again.
if cmp -s package-lock.json node_modules/.installed; then
	pwd
	exit 0
fi
if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
	cat >&2 <<-END
		############################################################
		## NOT COMPARED WITH READERS FOR NODE: npm is not installed,
		## so dotenv and dotenvx are missing.
		############################################################
	END
	exit 3
fi
echo "installing the readers of tools/readers (once)" >&2
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
cp package-lock.json node_modules/.installed
pwd
