#!/usr/bin/env bash
# Generates the Java code below build/, compiles it with the example by ecj, and runs it: run.sh HOST:PORT [HOST:PORT]
# Needs protoc, and of Debian what tools/packages.txt has for Java: gRPC with Netty, Protocol Buffers, ecj and a JRE.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
mkdir -p "$root/build"
made=$(mktemp -d "$root/build/example-java.XXXXXX")
trap 'rm -rf "$made"' EXIT
"$root/clients/java/protos.sh" "$made/protos"
protoc -I "$made/protos" --java_out="$made" --grpc_out="$made" --plugin=protoc-gen-grpc="$(command -v grpc_java_plugin)" \
  leasemap/v1/key_value.proto google/rpc/status.proto google/rpc/error_details.proto
jars=
for jar in grpc-{api,context,core,netty,protobuf,protobuf-lite,stub} protobuf guava perfmark-{api,impl} \
    netty-{buffer,codec,codec-http,codec-http2,common,handler,resolver,tcnative,transport} geronimo-annotation-1.3-spec; do
  jars+=/usr/share/java/$jar.jar:
done
cp "$here/Example.java" "$made"
mkdir "$made/classes"
(cd "$made" && ecj -17 -nowarn -proc:none -cp "$jars" -d classes .)
# Debian's Netty has no ALPN by the JDK, which gRPC over TLS needs, and looks for the library that has it by another name
# than Debian's package gives it.
cp /usr/lib/*/jni/libnetty-tcnative.so "$made/libnetty_tcnative.so"
java -XX:TieredStopAtLevel=1 -Djava.library.path="$made" -cp "$made/classes:$jars" Example "$@"
