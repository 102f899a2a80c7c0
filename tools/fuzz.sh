#!/usr/bin/env bash
# Runs each fuzz target for SECONDS_EACH (default 5) seconds; a finding fails and leaves its input in build/fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${SECONDS_EACH:-5}
targets=(fuzz_frames fuzz_codec fuzz_cursor fuzz_handshake)
tools/build.sh fuzz "${targets[@]}"
for target in "${targets[@]}"; do
  mkdir -p "build/fuzz/corpus/$target"
  (cd build/fuzz && "tests/fuzz/$target" -max_total_time="$seconds" -print_final_stats=1 "corpus/$target" 2>"$target.log") ||
    { tail -40 "build/fuzz/$target.log"; exit 1; }
  echo "$target: $(awk '/number_of_executed_units/ {print $2}' "build/fuzz/$target.log") runs, nothing found"
done
