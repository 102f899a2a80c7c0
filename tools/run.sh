#!/usr/bin/env bash
# Starts three nodes on loopback, says what to try, and stops them on Ctrl-C. Their logs are in build/run.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/build.sh release leasemapd leasemap
bin=$PWD/build/release
mkdir -p build/run
pids=()
stop() {
  trap '' INT TERM  # a second one must not cut the drain short
  trap - EXIT
  for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
  local failed=0
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  echo "stopped"
  exit $failed
}
trap stop INT TERM EXIT
for i in 1 2 3; do
  port=$((7390 + 10 * i))
  "$bin/server/leasemapd" --node-id "node-$i" --cluster demo \
    --listen "127.0.0.1:$port" --mesh-listen "127.0.0.1:$((port + 1))" --http-listen "127.0.0.1:$((port + 2))" \
    --seeds 127.0.0.1:7401,127.0.0.1:7411,127.0.0.1:7421 \
    >"build/run/node-$i.log" 2>&1 &
  pids+=($!)
done
leasemap=build/release/clients/cli/leasemap
for i in 1 2 3; do
  port=$((7390 + 10 * i))
  for _ in $(seq 100); do
    "$leasemap" --server "127.0.0.1:$port" healthcheck >/dev/null 2>&1 && break
    kill -0 "${pids[$((i - 1))]}" 2>/dev/null || { cat "build/run/node-$i.log" >&2; exit 1; }
    sleep 0.1
  done
done
cat <<EOF

Three nodes run: node-1 at 127.0.0.1:7400, node-2 at 127.0.0.1:7410, node-3 at 127.0.0.1:7420. In another terminal, from
this folder, try:

  $leasemap set color blue
  $leasemap --server 127.0.0.1:7410 get color
  $leasemap --server 127.0.0.1:7420 set color red        # refused: node-1 holds the lease
  $leasemap --server 127.0.0.1:7420 watch --snapshot
  $leasemap members
  grpcurl -plaintext -d '{"key":"color"}' 127.0.0.1:7410 leasemap.v1.KeyValue/Get

Ctrl-C stops them. Logs: build/run/node-1.log and so on.
EOF
wait
