#!/usr/bin/env bash
# Generates the Python stubs below build/ and runs the example: run.sh HOST:PORT [HOST:PORT]
# Needs protoc, grpc_python_plugin, and Debian's python3-grpcio and python3-protobuf.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
mkdir -p "$root/build"
stubs=$(mktemp -d "$root/build/example-python.XXXXXX")
trap 'rm -rf "$stubs"' EXIT
protoc -I "$root/protos" --python_out="$stubs" --grpc_out="$stubs" \
  --plugin=protoc-gen-grpc="$(command -v grpc_python_plugin)" \
  leasemap/v1/key_value.proto google/rpc/status.proto google/rpc/error_details.proto
# Not `python3`: that may be one without the packages.
PYTHONPATH="$stubs" /usr/bin/python3 "$here/example.py" "$@"
