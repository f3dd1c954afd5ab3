#!/bin/sh
# Becomes the libvirtd of a site: $1 is the site's name, $2 its configuration, $3 its sockets, $4 its state.
# libvirt's directories are compiled into it; what is mounted over them here is seen by it and its guests only.
set -eu
mkdir -p /etc/libvirt /run/libvirt /var/lib/libvirt /var/cache/libvirt "$2" "$3" "$4/lib" "$4/cache"
# The site's network devices, instead of the machine's.
mount -t sysfs sysfs /sys
mount --bind "$2" /etc/libvirt
mount --bind "$3" /run/libvirt
mount --bind "$4/lib" /var/lib/libvirt
mount --bind "$4/cache" /var/cache/libvirt
# Nova calls a hypervisor by the name of its machine. libvirtd looks that name up, and it asks for an account
# before it reads that its guests run as root.
hostname "$1"
see() {
  { cat "/etc/$1"; echo "$2"; } >"$3/$1"
  mount --bind "$3/$1" "/etc/$1"
}
see hosts "127.0.0.1 $1" "$4"
see passwd "libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin" "$4"
see group "libvirt-qemu:x:64055:" "$4"
exec libvirtd --config /etc/libvirt/libvirtd.conf --pid-file /run/libvirt/libvirtd.pid
