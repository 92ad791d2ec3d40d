#!/usr/bin/env bash
# Builds the files of a release into dist/, with the pinned goreleaser, and publishes nothing.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
goreleaser=$(tools/build-tool.sh release github.com/goreleaser/goreleaser/v2 github.com/goreleaser/goreleaser/v2 '-ldflags=-s -w')
skip=publish,sign,announce
if ! command -v syft >/dev/null; then
	echo "syft is not on PATH: the snapshot is built without SBOMs" >&2
	skip+=,sbom
fi
"$goreleaser" check
"$goreleaser" release --snapshot --clean --skip="$skip"
# goreleaser does not copy the registry's manifest to dist/, but lists its checksum there.
manifest=$(sed -n 's/^[0-9a-f]*  \(.*_manifest\.json\)$/\1/p' dist/*SHA256SUMS)
cp -- terraform-provider/terraform-registry-manifest.json "dist/$manifest"
(cd dist && sha256sum --check --quiet -- *SHA256SUMS)
ls -l dist
