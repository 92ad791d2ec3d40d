#!/usr/bin/env bash
# All checks except the tests. Every check runs, even after an earlier one has failed, so that one
# run shows all problems.
set -uo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit 1
go=${GO:-go}
failed=()

check() {
	local name=$1
	shift
	echo "== $name"
	if ! "$@"; then
		failed+=("$name")
	fi
}

formatted() {
	local files
	# gofmt is called with files, because it would also read ignored files in folders. git still
	# lists a file that is deleted in the work tree.
	# shellcheck disable=SC2016 # The inner shell expands the expression.
	files=$(git ls-files -z --cached --others --exclude-standard -- '*.go' |
		xargs -0 sh -c 'for f; do test -e "$f" && printf "%s\0" "$f"; done' sh | xargs -0 gofmt -l)
	if [[ -n $files ]]; then
		printf 'not formatted (gofmt -w):\n%s\n' "$files"
		return 1
	fi
}

golangci() {
	local binary module dir status=0
	binary=$(tools/build-tool.sh lint github.com/golangci/golangci-lint/v2 \
		github.com/golangci/golangci-lint/v2/cmd/golangci-lint '-ldflags=-s -w') || return 1
	"$binary" run ./... ./shared/vaulttest/testdata/... || status=1
	for module in tools/*/go.mod; do
		dir=${module%/go.mod}
		if [[ -n $(find "$dir" -name '*.go' -print -quit) ]]; then
			(cd -- "$dir" && "$binary" run ./...) || status=1
		fi
	done
	return "$status"
}

# Exit codes of govulncheck: 0 means nothing found, 3 means vulnerabilities found, and every other
# code means that the scan failed.
vulnerabilities() {
	local binary status=0 out
	binary=$(tools/build-tool.sh govulncheck golang.org/x/vuln golang.org/x/vuln/cmd/govulncheck '-ldflags=-s -w') || return 1
	if [[ -n ${VULNDB:-} ]]; then
		"$binary" -db "$VULNDB" ./...
		return
	fi
	out=$("$binary" ./... 2>&1) || status=$?
	printf '%s\n' "$out"
	if ((status != 0 && status != 3)) && grep -qE 'dial tcp|no such host|403|Forbidden|proxyconnect|timeout|connection refused' <<<"$out"; then
		echo "############################################################"
		echo "## NOT SCANNED FOR KNOWN VULNERABILITIES: the database of"
		echo "## govulncheck cannot be reached (see the error above)."
		echo "## VULNDB=URL or file:///folder selects another copy."
		echo "############################################################"
		return 0
	fi
	return "$status"
}

tidy() {
	local module status=0
	for module in go.mod tools/*/go.mod; do
		# The first lines show the requirements that differ; the others are checksums.
		(cd -- "$(dirname -- "$module")" && "$go" mod tidy -diff | sed -n '1,40p') || {
			echo "$module is not tidy: run go mod tidy there"
			status=1
		}
	done
	return "$status"
}

# Prints the state of the work tree: differences to the commit, and hashes of new files.
worktree() {
	git diff HEAD
	git ls-files -z --others --exclude-standard | xargs -0 -r git hash-object --no-filters --
}

generated() {
	local before
	before=$(worktree | git hash-object --stdin)
	make --no-print-directory generate || return 1
	if [[ $(worktree | git hash-object --stdin) != "$before" ]]; then
		git status --short
		echo "generated files were stale; make generate has updated them: commit the result"
		return 1
	fi
}

check "gofmt" formatted
check "go vet" "$go" vet ./...
check "golangci-lint" golangci
check "go mod tidy" tidy
check "known vulnerabilities" vulnerabilities
check "generated files" generated

if ((${#failed[@]} > 0)); then
	printf 'lint failed: %s\n' "${failed[@]}" >&2
	exit 1
fi
echo "lint: clean"
