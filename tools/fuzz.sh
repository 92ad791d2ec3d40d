#!/usr/bin/env bash
# Runs every fuzz target for $FUZZTIME, one after the other: `go test` accepts one fuzz target of
# one package.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
go=${GO:-go}

dirs=$(git grep -lE --untracked '^func Fuzz' -- '*_test.go' ':!tools' | sed 's|/[^/]*$||' | sort -u)
count=0 status=0
for dir in $dirs; do
	targets=$("$go" test -list '^Fuzz' "./$dir" | grep '^Fuzz')
	for target in $targets; do
		echo "== $dir $target, ${FUZZTIME:=30s}"
		"$go" test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" "./$dir" || status=$?
		count=$((count + 1))
	done
done
echo "ran $count fuzz targets"
exit "$status"
