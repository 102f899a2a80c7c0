#!/usr/bin/env bash
# Builds one preset (default: release) into build/PRESET, or only the targets named after it.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
shift || true
tools/install-deps.sh
cmake --preset "$preset" >"build-$preset.log" 2>&1 || { cat "build-$preset.log"; rm -f "build-$preset.log"; exit 1; }
rm -f "build-$preset.log"
cmake --build --preset "$preset" ${1:+--target "$@"}
