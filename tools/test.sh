#!/usr/bin/env bash
# All tests of one preset (default: release): builds, then runs ctest. Further arguments go to ctest. TARGETS names what to
# build, if that is not everything.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
shift || true
tools/build.sh "$preset" ${TARGETS:-}
[ "$preset" = tsan ] || { tools/get-grpcurl.sh; tools/get-go.sh; }
export PATH=$PWD/build/tools/bin:$PWD/build/tools/go/bin:$PATH:/usr/local/go/bin
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS=suppressions=$PWD/tools/sanitizers/lsan.supp:print_suppressions=0
export TSAN_OPTIONS=suppressions=$PWD/tools/sanitizers/tsan.supp
ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j "$(nproc)" "$@"
