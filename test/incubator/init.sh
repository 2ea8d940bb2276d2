#!/bin/sh
# First program of the incubator. Mounts the host's file system as the root, read-only, then starts the agent from it.
# INCUBATOR_REPO, INCUBATOR_NODE and INCUBATOR_AGENT come from the kernel command line: the kernel hands
# parameters that it does not know to its first program as environment.

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
load() {
	for module; do
		modprobe "$module" || echo "incubator: cannot load $module"
	done
}

load virtio_pci virtiofs
mount -t virtiofs -o ro root /newroot || { echo 'incubator: cannot mount the host file system'; poweroff -f; }
load virtio_console tun
# KVM keeps the frequency of the time-stamp counter that the kernel has when it is loaded, and takes no other: it is measured a second time, better, soon
# after the start, and the clock source changes its name then.
clock=/sys/devices/system/clocksource/clocksource0/current_clocksource
looks=30
until { read -r source <"$clock" && [ "$source" = tsc ]; } || [ "$looks" = 0 ]; do
	looks=$((looks - 1))
	sleep 0.2
done
[ "$source" = tsc ] || echo "incubator: the clock source is $source"
# Shadow paging: the emulator's nested paging corrupts memory now and then (guide, status page).
modprobe kvm_amd npt=0 || echo 'incubator: cannot load kvm_amd'
ifconfig lo 127.0.0.1 up

# A repository below /tmp or /run must stay visible when those become empty.
case "$INCUBATOR_REPO" in
/tmp/* | /run/*) mount --bind "/newroot$INCUBATOR_REPO" /keep ;;
esac
mount -t tmpfs -o mode=1777 tmpfs /newroot/tmp
mount -t tmpfs -o mode=755 tmpfs /newroot/run
case "$INCUBATOR_REPO" in
/tmp/* | /run/*) mkdir -p "/newroot$INCUBATOR_REPO" && mount --bind /keep "/newroot$INCUBATOR_REPO" && umount /keep ;;
esac
mount -t virtiofs build "/newroot$INCUBATOR_REPO/.build" || echo 'incubator: .build stays read-only'

mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
for folder in proc sys dev; do
	mount --move "/$folder" "/newroot/$folder"
done

export PATH="$INCUBATOR_REPO/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
export HOME=/tmp OPENVMM_INCUBATOR=1
# The shell stays the first process: it reaps orphans, and it ends the machine when the agent ends, whatever the reason.
exec switch_root /newroot /bin/sh -c '"$INCUBATOR_NODE" "$INCUBATOR_AGENT"; echo "incubator: agent ended with status $?"; echo o > /proc/sysrq-trigger; sleep 60'
