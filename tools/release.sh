#!/usr/bin/env bash
# Builds what a release would publish into dist/, with the pinned goreleaser.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
goreleaser=$(tools/build-tool.sh release github.com/goreleaser/goreleaser/v2 github.com/goreleaser/goreleaser/v2 '-ldflags=-s -w')
skip=publish,sign,announce
if ! command -v syft >/dev/null; then
	echo "no syft on PATH: the snapshot is built without the lists of what is inside (SBOM)" >&2
	skip+=,sbom
fi
"$goreleaser" check
"$goreleaser" release --snapshot --clean --skip="$skip"
# goreleaser publishes the registry's manifest from where it is; its checksum is
# among the others.
manifest=$(sed -n 's/^[0-9a-f]*  \(.*_manifest\.json\)$/\1/p' dist/*SHA256SUMS)
cp -- terraform-provider/terraform-registry-manifest.json "dist/$manifest"
(cd dist && sha256sum --check --quiet -- *SHA256SUMS)
ls -l dist
