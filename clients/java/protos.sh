#!/usr/bin/env bash
# Writes the protos as Java needs them into a folder, from which protoc, or a build's protobuf plugin, makes the code:
# protos.sh FOLDER
# In Java each text field has accessors for its bytes, too: beside the field `key` there can be none named `key_bytes`, since
# both would have a getKeyBytes(). So `key_bytes` is `key_as_bytes` here, and likewise each other field of bytes beside one of
# text. Over the wire go numbers alone, which stay (docs/decisions/0038-java-and-key-bytes.md). Needs bash and sed.
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: protos.sh FOLDER" >&2; exit 2; }
mkdir -p "$1"
to=$(cd "$1" && pwd)
cd "$(dirname "$0")/../../protos"
for proto in leasemap/v1/key_value.proto leasemap/v1/mesh.proto google/rpc/status.proto google/rpc/error_details.proto \
    grpc/health/v1/health.proto; do
  mkdir -p "$to/$(dirname "$proto")"
  sed -E 's/\bbytes ([a-z_]+)_bytes = /bytes \1_as_bytes = /' "$proto" >"$to/$proto"
done
