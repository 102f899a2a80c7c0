#!/usr/bin/env bash
# Generates the Ruby code below build/ and runs the example: run.sh HOST:PORT [HOST:PORT]
# Needs protoc, grpc_ruby_plugin, and Debian's ruby-grpc.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
mkdir -p "$root/build"
stubs=$(mktemp -d "$root/build/example-ruby.XXXXXX")
trap 'rm -rf "$stubs"' EXIT
protoc -I "$root/protos" --ruby_out="$stubs" --grpc_out="$stubs" \
  --plugin=protoc-gen-grpc="$(command -v grpc_ruby_plugin)" \
  leasemap/v1/key_value.proto google/rpc/status.proto google/rpc/error_details.proto
# Not `ruby`: that may be one without the packages.
/usr/bin/ruby -I "$stubs" "$here/example.rb" "$@"
