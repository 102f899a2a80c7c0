#!/usr/bin/env bash
# Generates the Go stubs below build/ and runs the example: run.sh HOST:PORT [HOST:PORT]
# Needs protoc and Go; the two generators are installed below build/tools at the versions named here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
export GOBIN=$root/build/tools/bin
mkdir -p "$GOBIN"
[ -x "$GOBIN/protoc-gen-go" ] || go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.34.2
[ -x "$GOBIN/protoc-gen-go-grpc" ] || go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.5.1
module=$(mktemp -d "$root/build/example-go.XXXXXX")
trap 'rm -rf "$module"' EXIT
cp "$here"/{go.mod,go.sum,main.go} "$module"
# The protos name no Go package: it is told here. grpc-go brings ErrorInfo's own types, so only ours are generated.
map=Mleasemap/v1/key_value.proto=example/leasemapv1
PATH=$GOBIN:$PATH protoc -I "$root/protos" --go_out="$module" --go-grpc_out="$module" \
  --go_opt="$map,module=example" --go-grpc_opt="$map,module=example" leasemap/v1/key_value.proto
cd "$module"
go build -o example .
./example "$@"
