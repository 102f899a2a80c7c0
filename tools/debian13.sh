#!/usr/bin/env bash
# Builds on Debian 13 and runs the tests there that need no node of their own: core, wire, net, host, rpc, the command line,
# and five nodes of the simulator. It makes a Debian 13 by debootstrap in build/debian13, once; needs root. The mirror is
# that of this host's own apt, or MIRROR=URL.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$PWD/build/debian13
root=$work/root
tools/install-deps.sh
[ "$(id -u)" -eq 0 ] || { echo "debian13: needs root" >&2; exit 1; }
mirror=${MIRROR:-$(docker/base-image.sh --sources | awk '$3 == "bookworm" {print $2}')}
# Of the packages what building and the unit tests need; those of clang have other names there.
packages=$(sed '/^# tests/,$d; /^#/d' tools/packages.txt; echo libgmock-dev libgtest-dev python3)

if [ ! -e "$root/made" ]; then
  rm -rf --one-file-system "$root"
  mkdir -p "$root"
  debootstrap --variant=minbase trixie "$root" "$mirror" >"$work/debootstrap.log" 2>&1 ||
    { tail -n 20 "$work/debootstrap.log" >&2; exit 1; }
  touch "$root/made"
fi
mkdir -p "$root/src" "$root/ccache" "$work/ccache"
cp /etc/resolv.conf "$root/etc/resolv.conf"

# What is mounted is seen by these commands alone, and ends with them.
export root work packages
unshare --mount --pid --fork bash -euo pipefail <<'INSIDE'
mount --bind "$PWD" "$root/src"
mount -o remount,bind,ro "$root/src"
mount --bind "$work/ccache" "$root/ccache"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root CCACHE_DIR=/ccache \
  DEBIAN_FRONTEND=noninteractive packages="$packages" bash -euo pipefail <<'CHROOT'
# The commands are read from standard input: nothing else may read it.
apt-get update -qq </dev/null
apt-get install -y -qq --no-install-recommends $packages </dev/null >/dev/null
cmake -S /src -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release >/build.log || { cat /build.log; exit 1; }
cmake --build /build </dev/null
cd /build
g++ --version | head -1
# Without what needs the rest of the packages (Python's and Go's clients), or many minutes.
ctest --output-on-failure --no-tests=error -j "$(nproc)" -L 'unit|net|sim' \
  -E 'unit:(python|go)_client|sim:|FiftyNodes' </dev/null
CHROOT
INSIDE
