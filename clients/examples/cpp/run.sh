#!/usr/bin/env bash
# Builds the C++ example if need be and runs it: run.sh HOST:PORT [HOST:PORT]
# LEASEMAP_BUILD names another build folder than build/release.
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
build=${LEASEMAP_BUILD:-$root/build/release}
[ -f "$build/build.ninja" ] || cmake -S "$root" --preset release -B "$build" >/dev/null
cmake --build "$build" --target example_cpp >/dev/null
"$build/clients/examples/cpp/example_cpp" "$@"
