#!/bin/bash
# Second stage of the interop guest, process 1: sets the system up, then serves the test's commands.
# Requests and answers are lines on the virtio serial port 'spindle.control':
#   run ID     run the bash script /run/guest/jobs/ID.sh; its output goes to ID.out and ID.err beside it   -> exit ID STATUS
#   kill ID    kill that script and everything in its session
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TMPDIR=/tmp
parameter() { tr ' ' '\n' </proc/cmdline | sed -n "s/^guest\.$1=//p" | tail -1 | tr ',' ' '; }

mkdir -p /dev/pts /dev/shm /etc/nvme
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs tmp /tmp
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/guest /run/jobs /run/lock
ln -sfn /proc/self/fd /dev/fd
ln -sfn /proc/mounts /etc/mtab
echo guest >/proc/sys/kernel/hostname
echo root:x:0:0::/root:/bin/bash >/etc/passwd
echo root:x:0: >/etc/group
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 run /run/guest

# The host's 127.0.0.1 is 10.0.2.2 here. All of 127.0.0.0/8 but 127.0.0.1 goes to the host too, so that a target on 127.0.0.2 has one
# address on both sides, as the answers of a discovery service require.
cd /proc/sys/net/ipv4/conf && echo 1 >all/route_localnet && echo 0 >all/rp_filter && echo 0 >eth0/rp_filter
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
ip addr del 127.0.0.1/8 dev lo
ip addr add 127.0.0.1/32 dev lo
ip route add 127.0.0.0/8 via 10.0.2.2 dev eth0 src 10.0.2.15

id=$(cat /proc/sys/kernel/random/uuid)
echo "$id" >/etc/nvme/hostid
echo "nqn.2014-08.org.nvmexpress:uuid:$id" >/etc/nvme/hostnqn
for module in $(parameter modules); do modprobe "$module" || echo "guest: no module $module"; done

for port in /sys/class/virtio-ports/*; do
  if [ "$(cat "$port/name" 2>/dev/null)" = spindle.control ]; then control=/dev/${port##*/}; fi
done
exec 3<>"$control"
cd /root || exit

run() { # in a shell of its own, which reports when the script ends
  setsid bash "/run/guest/jobs/$1.sh" </dev/null >"/run/guest/jobs/$1.out" 2>"/run/guest/jobs/$1.err" 3>&- &
  echo $! >"/run/jobs/$1"
  wait $!
  echo "exit $1 $?" >&3
}

echo "ready $(uname -r)" >&3
while read -r verb job <&3; do
  case $verb in
    run) run "$job" & ;;
    kill) for leader in $(cat "/run/jobs/$job"); do
        pkill -KILL -s "$leader"
        kill -KILL "$leader"
      done 2>/dev/null ;;
  esac
done
echo "guest: the control port was closed"
sync
busybox poweroff -f
