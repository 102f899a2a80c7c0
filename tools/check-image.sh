#!/usr/bin/env bash
# Builds the image as users do (docker/Dockerfile, with the build inside: some minutes) and runs the test of the compose
# cluster against it. Needs a Docker engine, docker-compose and, for the base image, root.
set -euo pipefail
cd "$(dirname "$0")/.."
image=leasemap-check
docker/base-image.sh
docker build -q -f docker/Dockerfile -t "$image" .
status=0
LEASEMAP_TEST_IMAGE=$image /usr/bin/python3 tests/e2e/compose_test.py || status=$?
docker image rm -f "$image" >/dev/null
exit "$status"
