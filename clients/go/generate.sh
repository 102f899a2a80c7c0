#!/usr/bin/env bash
# Generates leasemappb from the protos. Needs protoc and Go; the two generators are installed below build/tools at the
# versions named here. `go test -count=1 ./leasemappb` says when this has to run again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
tools=$root/build/tools/go-generators
export PATH=$PATH:/usr/local/go/bin
mkdir -p "$tools"
GOBIN=$tools go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.6
GOBIN=$tools go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.5.1
PATH=$tools:$PATH protoc -I "$root/protos" \
  --go_out="$here" --go_opt=module=leasemap.dev/leasemap \
  --go-grpc_out="$here" --go-grpc_opt=module=leasemap.dev/leasemap \
  leasemap/v1/key_value.proto leasemap/v1/mesh.proto
