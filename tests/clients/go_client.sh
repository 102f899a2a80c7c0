#!/usr/bin/env bash
# The Go client's format, vet, and tests without nodes. Skipped, with a message, where there is no Go, or one older than
# clients/go/go.mod asks for.
set -euo pipefail
cd "$(dirname "$0")/../../clients/go"
export PATH=$PWD/../../build/tools/go/bin:/usr/local/go/bin:$PATH GOFLAGS="-mod=readonly -buildvcs=false" GOTOOLCHAIN=local
wanted=$(awk '$1 == "go" {print $2}' go.mod)
if ! here=$(go env GOVERSION 2>/dev/null) ||
    [ "$(printf '%s\n' "$wanted" "${here#go}" | sort -V | head -1)" != "$wanted" ]; then
  echo "go_client_test: skipped: no Go $wanted here (tools/get-go.sh)"
  exit 0
fi
odd=$(gofmt -l .)
[ -z "$odd" ] || { echo "not as gofmt has it: $odd" >&2; exit 1; }
go vet ./...
# The tests read the protos, which Go's cache of results knows nothing of.
go test -count=1 ./...
