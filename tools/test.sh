#!/usr/bin/env bash
# tools/test.sh all|unit: runs the tests of every module. `make test` and `make test-unit` call it.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
go=${GO:-go}
flags=(-timeout "${TEST_TIMEOUT:-60m}")
read -ra more <<<"${TEST_FLAGS:-}"

if [[ $1 == unit ]]; then
	# A package imports the harness if its tests need a Vault.
	packages=$("$go" list -f '{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}}' ./... |
		grep -v shared/vaulttest | cut -d ' ' -f 1)
	# shellcheck disable=SC2086 # An import path has no space.
	exec "$go" test "${flags[@]}" ${more[@]+"${more[@]}"} $packages
fi

plugin=bin/test/vault-plugin-secrets-stashbase
provider=bin/test/terraform-provider-stashbase
plain=bin/test/plain/terraform-provider-stashbase
version=v0.1.0-test
build=(-buildvcs=false -ldflags "-X main.version=$version")
compiler=$("$go" env CC)
if command -v "${compiler%% *}" >/dev/null; then
	export CGO_ENABLED=1
	flags+=(-race)
	# By default, a program with the race detector waits one second before it exits.
	export GORACE=atexit_sleep_ms=0
	build+=(-race)
elif [[ ${CI:-} == true ]]; then
	echo "the race detector needs a C compiler, and $compiler is not installed" >&2
	exit 1
else
	echo "############################################################" >&2
	echo "## NOT TESTED FOR DATA RACES: no C compiler ($compiler)" >&2
	echo "############################################################" >&2
fi

# The tests of several packages use the same npm packages, so these are installed before. Exit code
# 3 means that npm is missing; a test then says what it skips, or fails in CI.
for packages in tools/*/package-lock.json; do
	folder=$(basename -- "$(dirname -- "$packages")")
	tools/npm.sh "$folder" >/dev/null || (($? == 3))
done

# One plugin for all packages that run a Vault, and one provider for all packages that run
# Terraform. Both are built with the race detector; the harnesses read its reports.
"$go" build "${build[@]}" -o "$plugin" ./vault-plugin
"$go" build "${build[@]}" -o "$provider" ./terraform-provider
# The tests run a second time under another CLI. The race detector would find nothing new there, and
# a provider with it takes several times as long.
"$go" build -buildvcs=false -ldflags "-X main.version=$version" -o "$plain" ./terraform-provider
export STASHBASE_PLUGIN_BINARY=$PWD/$plugin STASHBASE_PLUGIN_VERSION=$version
export STASHBASE_PROVIDER_BINARY=$PWD/$provider STASHBASE_PLAIN_PROVIDER_BINARY=$PWD/$plain

status=0
"$go" test "${flags[@]}" -p "${TEST_JOBS:-2}" ${more[@]+"${more[@]}"} ./... || status=$?

# The key hierarchy must work with the approved algorithms of Go's cryptographic module only.
GODEBUG=fips140=only "$go" test "${flags[@]}" ./shared/keyring/... || status=$?

for module in tools/*/go.mod; do
	dir=${module%/go.mod}
	if [[ -n $(find "$dir" -name '*_test.go' -print -quit) ]]; then
		(cd -- "$dir" && "$go" test "${flags[@]}" ./...) || status=$?
	fi
done
exit "$status"
