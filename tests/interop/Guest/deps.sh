#!/usr/bin/env bash
# ./build.sh deps: installs by apt what the interop tests use, then prepares the guest they boot. Quick when all is there.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
die() { echo "deps: $*" >&2; exit 1; }

# The host's tools. nvme-cli, fio, e2fsprogs and fdisk (sfdisk) are the host's side of some tests; the guest brings its own.
packages=(qemu-system-x86 qemu-utils nvme-cli fio e2fsprogs busybox-static xz-utils zstd cpio kmod python3 tshark
  debian-archive-keyring ca-certificates util-linux fdisk)

command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
  die "this machine has no apt; install by other means (names as in Debian 12), then run $here/image.sh: ${packages[*]}"

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  sudo=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "needs root (or sudo) to install: ${missing[*]}"
    sudo=(sudo --preserve-env=http_proxy,https_proxy,no_proxy)
  fi
  echo "deps: installing ${missing[*]}"
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  apt() { # the environment is set behind sudo, which would not let it through
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" </dev/null >>"$log" 2>&1
  }
  # Fresh lists first: a machine's own may name files that the mirror no longer has, or be empty.
  apt update || echo "deps: apt-get update had problems; going on with the lists there are" >&2
  apt install -y --no-install-recommends "${missing[@]}" || { tail -20 "$log" >&2; die "apt could not install: ${missing[*]}"; }
fi
echo "deps: ${#packages[@]} packages are installed"
exec bash "$here/image.sh"
