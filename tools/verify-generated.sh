#!/usr/bin/env bash
# Generates anew and fails if a generated file differs from what was there. The new files stay: they are the fix.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

sums() {
  find apis manifests/crd manifests/chart/files manifests/install.yaml \( -name 'zz_generated.*.go' -o -name '*.yaml' \) -print0 | sort -z | xargs -0 sha256sum
}

before=$(sums)
make --no-print-directory generate >/dev/null
if ! changed=$(diff <(echo "$before") <(sums)); then
  echo "generated files were out of date and have been written anew; commit them:" >&2
  awk '/^[<>]/ { print "  " $3 }' <<<"$changed" | sort -u >&2
  exit 1
fi
echo "generated files are up to date"
