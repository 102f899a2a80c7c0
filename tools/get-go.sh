#!/usr/bin/env bash
# Puts a Go that is new enough for clients/go into build/tools/go, unless there is one. Debian 12's is too old for the Go
# client, and for any gRPC of today, but it can fetch a newer one as a module, as newer ones do by themselves.
set -euo pipefail
cd "$(dirname "$0")/.."
version=1.23.12
export PATH=$PWD/build/tools/go/bin:/usr/local/go/bin:$PATH
if ! command -v go >/dev/null; then
  sudo=(); [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get install -y -qq --no-install-recommends golang-go >/dev/null
fi
wanted=$(awk '$1 == "go" {print $2}' clients/go/go.mod)
here=$(go env GOVERSION)
[ "$(printf '%s\n' "$wanted" "${here#go}" | sort -V | head -1)" != "$wanted" ] || exit 0
cd /  # out of any module; Go checks the sum of what it fetches
toolchain=golang.org/toolchain@v0.0.1-go$version.linux-$(go env GOARCH)
found=$(go mod download -json "$toolchain" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
cd - >/dev/null
mkdir -p build/tools
new=$(mktemp -d build/tools/go.XXXXXX)
cp -r "$found/." "$new"
chmod -R u+w "$new"
chmod 755 "$new" "$new"/bin/* "$new"/pkg/tool/*/*
rm -rf build/tools/go
mv "$new" build/tools/go
