#!/usr/bin/env bash
# Puts grpcurl into build/tools/bin, at a pinned version, unless it is there or on the PATH. Needs Go, which it installs
# from Debian where there is none.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v grpcurl >/dev/null && exit 0
[ -x build/tools/bin/grpcurl ] && exit 0
export PATH=$PATH:/usr/local/go/bin
if ! command -v go >/dev/null; then
  sudo=(); [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get install -y -qq --no-install-recommends golang-go >/dev/null
fi
mkdir -p build/tools/bin
GOBIN=$PWD/build/tools/bin GOFLAGS=-mod=mod go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.8.9
