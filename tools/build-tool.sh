#!/usr/bin/env bash
# Builds one pinned tool from its own module. Prints the path of the binary on standard output, and
# everything else on standard error.
#
#   tools/build-tool.sh DIR MODULE PACKAGE [go build flags...]
#
# DIR is a folder under tools/ with the go.mod that pins MODULE. PACKAGE is the main package to
# build. Binaries are stored outside the checkout, in ${XDG_CACHE_HOME:-~/.cache}/vault-stashbase/.
# Their name contains a hash of everything that decides their content. A second checkout or a `git
# clean` therefore needs no second build, and a changed pin never uses an old binary.
set -euo pipefail

dir=$1 module=$2 package=$3
shift 3

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/vault-stashbase"
name=$(basename -- "${package%/v[0-9]}")
cd -- "$root/tools/$dir"

version=$(awk -v m="$module" '$1 == m { print $2; exit } $1 == "require" && $2 == m { print $3; exit }' go.mod)
if [[ -z $version ]]; then
	echo "tools/$dir/go.mod does not require $module" >&2
	exit 1
fi

export CGO_ENABLED=0
# git is installed on every build platform; sha256sum is not.
key=$({
	cat go.mod go.sum
	go env GOVERSION GOOS GOARCH GOAMD64 GOARM64
	printf '%s\n' "$package" "$@"
} | git hash-object --stdin)
binary="$cache/$name-$version-${key:0:12}"

if [[ -x $binary ]]; then
	echo "$binary"
	exit 0
fi

mkdir -p "$cache"
# The build writes beside the target, so that the last step is a rename. Two concurrent builds then
# end with one complete binary.
partial=$(mktemp -d "$cache/.$name.XXXXXX")
build=
cleanup() {
	if [[ -n $build ]]; then
		kill "$build" 2>/dev/null || true
	fi
	rm -rf -- "$partial"
}
trap cleanup EXIT

echo "building $name $version (once; stored in $cache)" >&2
start=$SECONDS
echo "  resolving packages, downloading modules where needed" >&2
total=$(go list -deps "$@" "$package" | wc -l | tr -d ' ')
go build -v -trimpath -buildvcs=false -o "$partial/$name" "$@" "$package" 2>"$partial/log" &
build=$!
tick=0
while kill -0 "$build" 2>/dev/null; do
	sleep 1
	tick=$((tick + 1))
	if ((tick % 15 == 0)); then
		# -v prints a package when its compilation starts. It does not print packages from the
		# build cache, so the count may not reach the total.
		echo "  $name: $(wc -l <"$partial/log" | tr -d ' ') of at most $total packages, $((SECONDS - start)) s" >&2
	fi
done
status=0
wait "$build" || status=$?
build=
if ((status != 0)); then
	# Lines without a space are package names from -v.
	grep ' ' "$partial/log" >&2 || true
	echo "building $name $version failed" >&2
	exit "$status"
fi
mv -f -- "$partial/$name" "$binary"
echo "built $name $version in $((SECONDS - start)) s" >&2
echo "$binary"
