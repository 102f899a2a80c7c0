#!/usr/bin/env bash
# Formats all C++ files; with --check only says which ones differ, and fails.
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t files < <(git ls-files '*.cc' '*.h')
if [ "${1:-}" = --check ]; then
  clang-format-14 --dry-run --Werror "${files[@]}"
  # Generated code (*.pb.go) is as long as its protos make it.
  long=$(git ls-files '*.cc' '*.h' '*.py' '*.go' '*.sh' ':!*.pb.go' | xargs wc -l | awk '$1 > 500 && $2 != "total"')
  [ -z "$long" ] || { echo "files over 500 lines: $long" >&2; exit 1; }
else
  clang-format-14 -i "${files[@]}"
fi
