#!/usr/bin/env bash
# The benchmarks: bdevs by bdevperf inside the process, then NVMe/TCP over loopback. './build.sh bench' builds and runs this.
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: ./build.sh bench [--long] [--time SECONDS] [--cpumask MASK] [--only bdev|nvme]

  --long      10 s for each line instead of 2 s
  --time      so many seconds for each line
  --cpumask   cores of the reactors (two where there are two)
  --only      one of the two parts
HELP
}

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
spindle=${SPINDLE:-$root/artifacts/spindle}
seconds=2 only='' mask=''
while [ $# -gt 0 ]; do
  case $1 in
    --long) seconds=10 ;;
    --time) seconds=${2:?--time needs a number}; shift ;;
    --cpumask) mask=${2:?--cpumask needs a mask}; shift ;;
    --only) only=${2:?--only needs bdev or nvme}; shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "bench: there is no option $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
case $only in '' | bdev | nvme) ;; *) echo "bench: --only takes bdev or nvme" >&2; exit 2 ;; esac
[ -x "$spindle" ] || { echo "bench: $spindle is missing; run ./build.sh first" >&2; exit 1; }
if [ -z "$mask" ]; then
  if [ "$(nproc)" -ge 2 ]; then mask=0x3; else mask=0x1; fi
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/spindle-bench.XXXXXX")
shm=''
[ ! -d /dev/shm ] || shm=$(mktemp -d /dev/shm/spindle-bench.XXXXXX)
target=''
cleanup() {
  [ -z "$target" ] || { kill "$target" 2>/dev/null || true; wait "$target" 2>/dev/null || true; }
  rm -rf "$work" ${shm:+"$shm"}
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# --- the machine ---------------------------------------------------------------------------------------------
fact() { printf '%-10s %s\n' "$1" "$2"; }
cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)
fact cpu "${cpu:-$(uname -m)}, $(nproc) cores"
fact kernel "$(uname -sr)"
fact memory "$(awk '/^MemTotal/ {t=$2} /^HugePages_Total/ {h=$2} END {printf "%.1f GiB, %d huge pages reserved", t/1048576, h}' /proc/meminfo 2>/dev/null || echo unknown)"
fact .NET "$(dotnet --list-runtimes 2>/dev/null | awk '/^Microsoft.NETCore.App 10\./ {v=$2} END {print v}')"
fact revision "$(git -C "$root" describe --always --dirty 2>/dev/null || echo unknown)"
fact disk "$(df -T "$work" | awk 'NR==2 {print $2 " at " $7}') (files of aio on disk: $work)"
fact options "reactors on $mask, ${seconds} s for each line, 0.5 s warm-up"
fact date "$(date -u +%Y-%m-%dT%H:%MZ)"

perf() { # TITLE, arguments of spindle perf
  printf '\n%s\n' "$1"
  shift
  "$spindle" perf "$@" --cpumask "$mask" --time "$seconds" || echo "(failed with exit status $?)"
}

# --- bdevs ---------------------------------------------------------------------------------------------------
if [ "$only" != nvme ]; then
  load=(--rw randread,randwrite --qd 1,32,128 --io-size 4K)
  malloc='bdev_malloc_create:{"name":"Malloc0","num_blocks":65536,"block_size":4096}'
  perf 'null: what the bdev layer itself costs' bdev --bdev Null0 \
    --create 'bdev_null_create:{"name":"Null0","num_blocks":262144,"block_size":4096}' "${load[@]}"
  perf 'malloc, 256 MiB' bdev --bdev Malloc0 --create "$malloc" "${load[@]}"
  perf 'passthru on malloc' bdev --bdev Passthru0 --create "$malloc" \
    --create 'bdev_passthru_create:{"name":"Passthru0","base_bdev_name":"Malloc0"}' "${load[@]}"
  if [ -n "$shm" ]; then
    truncate -s 256M "$shm/aio" && dd if=/dev/zero of="$shm/aio" bs=1M count=256 conv=notrunc status=none
    perf 'aio on tmpfs, 256 MiB' bdev --bdev Aio0 \
      --create "bdev_aio_create:{\"name\":\"Aio0\",\"filename\":\"$shm/aio\",\"block_size\":4096}" "${load[@]}"
    rm -f "$shm/aio"
  fi
  dd if=/dev/zero of="$work/aio" bs=1M count=256 conv=fsync status=none
  perf 'aio on disk, 256 MiB' bdev --bdev Aio0 \
    --create "bdev_aio_create:{\"name\":\"Aio0\",\"filename\":\"$work/aio\",\"block_size\":4096}" "${load[@]}"
  rm -f "$work/aio"
fi

# --- NVMe/TCP ------------------------------------------------------------------------------------------------
[ "$only" != bdev ] || exit 0
if [ ! -d "$root/artifacts/modules/tool-nvmeperf" ] || [ ! -d "$root/artifacts/modules/frontend-nvmf" ]; then
  printf '\nNVMe/TCP: not measured, the modules tool-nvmeperf and frontend-nvmf are not built\n'
  exit 0
fi
nqn=nqn.2026-11.io.spindle:bench port=$((20000 + RANDOM % 20000)) target_mask=$mask initiator_mask=$mask
if [ "$(nproc)" -ge 2 ] && [ "$mask" = 0x3 ]; then target_mask=0x1 initiator_mask=0x2; fi
cat >"$work/config.json" <<CONFIG
{ "subsystems": [
  { "subsystem": "bdev", "config": [
    { "method": "bdev_null_create", "params": { "name": "Null0", "num_blocks": 262144, "block_size": 4096 } },
    { "method": "bdev_malloc_create", "params": { "name": "Malloc0", "num_blocks": 65536, "block_size": 4096 } } ] },
  { "subsystem": "nvmf", "config": [
    { "method": "nvmf_create_transport", "params": { "trtype": "TCP", "max_queue_depth": 256 } },
    { "method": "nvmf_create_subsystem", "params": { "nqn": "$nqn", "allow_any_host": true, "serial_number": "BENCH" } },
    { "method": "nvmf_subsystem_add_ns", "params": { "nqn": "$nqn", "namespace": { "nsid": 1, "bdev_name": "Null0" } } },
    { "method": "nvmf_subsystem_add_ns", "params": { "nqn": "$nqn", "namespace": { "nsid": 2, "bdev_name": "Malloc0" } } },
    { "method": "nvmf_subsystem_add_listener", "params": { "nqn": "$nqn",
      "listen_address": { "trtype": "TCP", "adrfam": "IPv4", "traddr": "127.0.0.1", "trsvcid": "$port" } } } ] } ] }
CONFIG
"$spindle" run "$root/apps/nvmf_tgt" --config "$work/config.json" --rpc-socket "$work/rpc.sock" --cpumask "$target_mask" >"$work/target.log" 2>&1 &
target=$!
for _ in $(seq 200); do
  (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
  kill -0 "$target" 2>/dev/null || break
  sleep 0.1
done
kill -0 "$target" 2>/dev/null || { printf '\nNVMe/TCP: the target did not start:\n' >&2; cat "$work/target.log" >&2; exit 1; }
mask=$initiator_mask
for namespace in '1 null' '2 malloc'; do
  perf "NVMe/TCP over loopback, ${namespace#* } behind it (target on $target_mask, initiator on $initiator_mask)" nvme \
    --address "127.0.0.1:$port" --nqn "$nqn" --nsid "${namespace% *}" --rw randread,randwrite --qd 1,32,128 --io-size 4K
done
