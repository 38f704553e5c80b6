#!/bin/busybox sh
# First stage of the interop guest: modules, then the root - the image's, read-only over 9p, under an overlay in memory.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
for module in $($b cat /modules/order); do $b insmod /modules/$module; done
options=trans=virtio,version=9p2000.L,msize=512000
$b mount -t 9p -o $options,ro,cache=loose root /lower
$b mount -t tmpfs -o mode=755 upper /upper
$b mkdir /upper/files /upper/work
$b mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work root /new
for folder in proc sys dev; do $b mount --move /$folder /new/$folder; done
exec $b switch_root /new /usr/lib/guest/init
