#!/usr/bin/env bash
# Fails if a Go file that is neither a test nor generated has more than 400 lines: such a file holds more than one subject.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
limit=400

bad=$(find . \( -path ./.tools -o -path ./.git \) -prune -o -name '*.go' ! -name '*_test.go' ! -name 'zz_generated.*' -print0 |
  xargs -0 awk -v limit="$limit" 'FNR == limit + 1 { print "  " FILENAME }')
if [[ -n $bad ]]; then
  echo "these files have more than $limit lines; split them by subject:" >&2
  echo "$bad" >&2
  exit 1
fi
echo "no Go file has more than $limit lines"
