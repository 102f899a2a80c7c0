#!/usr/bin/env bash
# Makes the image debian:bookworm-slim from Debian's packages, for a host that can reach a Debian mirror but no registry
# of images: about 40 s and 200 MB. Does nothing if there is such an image. Needs root (debootstrap does).
#
# The mirrors are those of this host's own apt, which are known to be reachable; with MIRROR=URL they are that one, and
# its neighbour URL-security. `base-image.sh --sources` only prints what the image's apt will be told.
set -euo pipefail
image=debian:bookworm-slim

# The lines of a sources.list, the suite bookworm first. Of another distribution's apt it makes none.
sources() {
  if [ -n "${MIRROR:-}" ]; then
    printf 'deb %s %s main\n' "${MIRROR%/}" bookworm "${MIRROR%/}" bookworm-updates "${MIRROR%/}-security" \
      bookworm-security
    return
  fi
  # What apt would fetch, whether or not it ever did: 'SITE/dists/SUITE/main/binary-…'. Another maker's packages may be in
  # a suite named bookworm too, but then without bookworm-updates beside it.
  apt-get update --print-uris | sed -nE "s#^'(.*)/dists/(bookworm(-updates|-security)?)/main/binary-.*#\1 \2#p" |
    awk '!seen[$1, $2]++ {site[$2, ++count[$2]] = $1}
         END {
           for (i = count["bookworm"]; i > 0; --i) if (seen[site["bookworm", i], "bookworm-updates"]) best = i
           if (count["bookworm"]) print "deb", site["bookworm", best ? best : 1], "bookworm main"
           if (count["bookworm-updates"]) print "deb", site["bookworm-updates", 1], "bookworm-updates main"
           if (count["bookworm-security"]) print "deb", site["bookworm-security", 1], "bookworm-security main"
         }'
}

if [ "${1:-}" != --sources ] && docker image inspect "$image" >/dev/null 2>&1; then
  echo "base-image: $image is there"
  exit 0
fi
wanted=$(sources)
mirror=$(awk '$3 == "bookworm" {print $2}' <<<"$wanted")
if [ -z "$mirror" ]; then
  echo "base-image: this host's apt names no mirror of Debian bookworm; name one: MIRROR=URL docker/base-image.sh" >&2
  exit 1
fi
grep -q ' bookworm-security ' <<<"$wanted" ||
  echo "base-image: this host's apt has no bookworm-security, so the image will get no security updates" >&2
if [ "${1:-}" = --sources ]; then
  echo "$wanted"
  exit 0
fi
command -v debootstrap >/dev/null || { echo "base-image: needs debootstrap (apt-get install debootstrap)" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || { echo "base-image: needs root" >&2; exit 1; }

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=ca-certificates bookworm "$root" "$mirror" >"$root.log" 2>&1 ||
  { tail -n 20 "$root.log" >&2; echo "base-image: debootstrap failed; all of its output is in $root.log" >&2; exit 1; }
rm -f "$root.log"
echo "$wanted" >"$root/etc/apt/sources.list"
# What an image has no use for.
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}/*
tar -C "$root" --numeric-owner -c . | docker import --change 'CMD ["bash"]' - "$image" >/dev/null
echo "base-image: made $image"
