#!/usr/bin/env bash
# Runs each fuzz target for SECONDS_EACH (default 5) seconds from the seeds in tests/fuzz/corpus; a finding fails and
# leaves its input in build/fuzz. With --seeds it makes those seeds again instead.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "${1:-}" = --seeds ]; then
  tools/build.sh release fuzz_seeds
  exec build/release/tests/fuzz/fuzz_seeds tests/fuzz/corpus
fi
seconds=${SECONDS_EACH:-5}
targets=(fuzz_frames fuzz_codec fuzz_cursor fuzz_handshake fuzz_identity fuzz_backup fuzz_storage fuzz_rights fuzz_merge fuzz_config fuzz_import)
tools/build.sh fuzz "${targets[@]}"
for target in "${targets[@]}"; do
  # libFuzzer writes what it finds of interest into the first folder, and only reads the second.
  mkdir -p "build/fuzz/corpus/$target"
  seeds=$PWD/tests/fuzz/corpus/$target
  (cd build/fuzz && "tests/fuzz/$target" -max_total_time="$seconds" -print_final_stats=1 "corpus/$target" "$seeds" 2>"$target.log") ||
    { tail -40 "build/fuzz/$target.log"; exit 1; }
  echo "$target: $(awk '/number_of_executed_units/ {print $2}' "build/fuzz/$target.log") runs, nothing found"
done
