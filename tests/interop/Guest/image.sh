#!/usr/bin/env bash
# Makes the guest that the interop tests boot: Debian 12's own kernel, a root of extracted packages (nothing is installed on the host) and
# a small initramfs. Needs no root. Prints the image's folder as its last line; with --path only looks for it (exit status 3: not made yet).
# The image is keyed by what it is made from, made under a lock, and appears in one step.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
die() { echo "guest image: $*" >&2; exit 1; }

# What a storage test needs in the guest; the rest of a Debian system is left out.
wanted=(linux-image-amd64 busybox-static libc-bin bash coreutils util-linux mount kmod iproute2 grep sed gawk findutils diffutils procps
  nvme-cli fio e2fsprogs xfsprogs sg3-utils dmsetup jq zlib1g libssl3)
# Dependencies that only serve installing or booting a system, or scripts that no test runs.
unwanted='^(perl|libperl|python3|libpython3|debconf|adduser|passwd|dpkg|initramfs-tools|linux-base|klibc|libklibc|usrmerge|udev|login)'
# Parts of packages that no guest here reads: most of the kernel's drivers, documentation.
left_out=(./usr/share/{doc,man,locale,info,lintian,bug} ./lib/modules/*/kernel/{sound,net/{mac80211,bluetooth,wireless}}
  ./lib/modules/*/kernel/drivers/{gpu,media,iio,staging,input,hwmon,usb,mmc,bluetooth,isdn,mtd,infiniband/hw,net/{wireless,ethernet}})
# Modules of the initramfs: what it takes to reach the root.
early=(virtio_pci virtio_console 9pnet_virtio 9p overlay virtio_net)

cache=${SPINDLE_CACHE:-${XDG_CACHE_HOME:-${HOME:?needed for the cache: HOME or SPINDLE_CACHE}/.cache}/spindle}
cache=$(realpath -m -- "$cache")/guest
key=$(cat "$here"/{image,initramfs-init,guest-init}.sh | sha256sum | cut -c1-16)
image=$cache/$key

if [ -e "$image/complete" ]; then
  touch "$image" # in use: not to be cleared away
  [ "${1:-}" = --path ] || echo "guest image: ready" >&2
  echo "$image"
  exit 0
fi
[ "${1:-}" != --path ] || exit 3

for tool in apt-get dpkg-deb xz gzip zstd flock depmod modprobe grep; do
  PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || die "needs $tool; ./build.sh deps installs it"
done
PATH=$PATH:/usr/sbin:/sbin
umask 022
mkdir -p "$cache"
exec 9>"$cache/lock"
flock -n 9 || { echo "guest image: waiting for another build of it" >&2; flock 9; }
if [ -e "$image/complete" ]; then echo "$image"; exit 0; fi
echo "guest image: making $image (about a minute)" >&2
find "$cache" -maxdepth 1 -name 'new.*' -exec rm -rf {} + # of a build that was cut short
new=$(mktemp -d "$cache/new.XXXXXX")
trap 'rm -rf "$new"' EXIT

# --- packages: apt with a state of its own, as if nothing were installed ---------------------------------------
apt_state() {
  local state=$1 file found=
  mkdir -p "$state"/{sources,lists/partial,archives/partial}
  # The host's own Debian 12 sources where it has them (a mirror, a proxy), else the public ones.
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources}; do
    if [ -f "$file" ] && grep -qE '^[^#]*\bbookworm(-updates|-security)?\b.*\bmain\b|^Suites:.*\bbookworm-updates\b' "$file" &&
      [ -z "${SPINDLE_DEBIAN_MIRROR:-}" ]; then
      cp "$file" "$state/sources/"
      found=1
    fi
  done
  if [ -z "$found" ]; then
    local mirror=${SPINDLE_DEBIAN_MIRROR:-http://deb.debian.org/debian} by='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
    printf 'deb %s %s %s main\n' "$by" "$mirror" bookworm "$by" "$mirror" bookworm-updates >"$state/sources/debian.list"
  fi
}
apt_state "$new/apt"
apt=(apt-get -qq -o APT::Sandbox::User="$(id -un)" -o APT::Architecture=amd64 -o APT::Architectures::=amd64 -o APT::Install-Recommends=0
  -o Acquire::Retries=3 -o Acquire::Languages=none -o Debug::NoLocking=1 -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$new/apt/sources"
  -o Dir::State="$new/apt" -o Dir::State::lists="$new/apt/lists" -o Dir::Cache="$new/apt" -o Dir::Cache::archives="$new/apt/archives"
  -o Dir::State::status=/dev/null)
"${apt[@]}" update >"$new/log" 2>&1 || { cat "$new/log" >&2; die "apt-get update failed"; }
"${apt[@]}" --print-uris install "${wanted[@]}" >"$new/closure" || die "the guest's packages cannot be resolved"
# Lines: 'URI' NAME_VERSION_ARCH.deb SIZE HASH
awk '{print $2}' "$new/closure" | sed -n 's/_[^_]*\.deb$//p' | sed 's/_/=/; s/%3a/:/' | grep -Ev "$unwanted" >"$new/packages"
mkdir -p "$new/debs"
(cd "$new/debs" && xargs -a "$new/packages" "${apt[@]}" download >"$new/log" 2>&1) ||
  { cat "$new/log" >&2; die "the guest's packages could not be downloaded"; }

# --- the root -------------------------------------------------------------------------------------------------
root=$new/root
mkdir -p "$root"/usr/{bin,sbin,lib,lib64} "$root"/{proc,sys,dev,run,tmp,root,host}
for link in bin sbin lib lib64; do ln -s "usr/$link" "$root/$link"; done # Debian's merged /usr
for deb in "$new"/debs/*.deb; do
  dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --no-same-owner --keep-directory-symlink "${left_out[@]/#/--exclude=}"
done
# Over 9p the files belong to whoever made the image: a set-id bit would turn the guest's root into that user.
find "$root" -type f -perm /6000 -exec chmod u-s,g-s {} +
chmod -R u+rwX "$root"
[ -e "$root/usr/bin/sh" ] || ln -s bash "$root/usr/bin/sh"
kernel=$(basename "$root"/usr/lib/modules/*)
find "$root/usr/lib/modules" -name '*.ko.xz' -print0 | xargs -0 -r -P4 -n 64 xz -d
depmod -b "$root" "$kernel"
install -D -m 755 "$here/guest-init.sh" "$root/usr/lib/guest/init"

# --- the kernel, unpacked: started through its PVH entry it is up 5 s sooner under emulation --------------------
packed=$root/boot/vmlinuz-$kernel
unpack() { # MAGIC COMMAND...: the payload starts near the image's beginning
  local magic=$1 at
  shift
  at=$(LC_ALL=C grep -obUaP "$magic" "$packed" | head -1 | cut -d: -f1) || at=
  [ -n "$at" ] && [ "$at" -lt 65536 ] || return 1
  { tail -c +$((at + 1)) "$packed" | "$@" >"$new/vmlinux"; } 2>/dev/null || : # what follows the payload is no part of it
  [ "$(head -c4 "$new/vmlinux" | tr -d '\177')" = ELF ]
}
unpack '\xfd7zXZ\x00' xz -dcq --single-stream || unpack '\x28\xb5\x2f\xfd' zstd -dcq || unpack '\x1f\x8b\x08' gzip -dcq || cp "$packed" "$new/vmlinux"

# --- the initramfs --------------------------------------------------------------------------------------------
init=$new/initramfs
mkdir -p "$init"/{bin,modules,dev,proc,sys,lower,upper,new}
cp "$root/usr/bin/busybox" "$init/bin/busybox"
install -m 755 "$here/initramfs-init.sh" "$init/init"
for module in "${early[@]}"; do modprobe -d "$root" -S "$kernel" -D "$module"; done | awk '$1 == "insmod" && !seen[$2]++ {print $2}' |
  while read -r file; do
    cp "$file" "$init/modules/"
    basename "$file"
  done >"$init/modules/order"
[ -s "$init/modules/order" ] || die "found no modules for the initramfs"
(cd "$init" && find . | cpio -o -H newc --quiet) | gzip -1 >"$new/initrd.gz"

rm -rf "$new"/{apt,debs,initramfs,closure,log}
touch "$new/complete"
chmod 755 "$new"
rm -rf "$image"
mv "$new" "$image"
trap - EXIT
find "$cache" -maxdepth 1 -mindepth 1 -type d -mtime +14 ! -name "$key" -exec rm -rf {} + # of earlier versions, long unused
echo "guest image: ready" >&2
echo "$image"
