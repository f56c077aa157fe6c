#!/usr/bin/env bash
# Fails if gofmt would change a file.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bad=$(find . \( -path ./.tools -o -path ./.git \) -prune -o -name '*.go' -print0 | xargs -0 gofmt -l)
if [[ -n $bad ]]; then
  echo "these files are not formatted; run gofmt -w on them:" >&2
  echo "$bad" >&2
  exit 1
fi
echo "all Go files are formatted"
