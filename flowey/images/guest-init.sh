#!/bin/sh
# First program of a test guest. What it does is asked for on the kernel command line:
#   (nothing)             load the drivers of the devices that are there, give a shell on the console
#   openvmm.test=report   print what the guest sees, one "openvmm-guest: name=value" a line, then power off
#   openvmm.test=reboot   the same, then reboot instead
#   openvmm.test=echo     answer each console line with "openvmm-guest: echo=line" until "quit", then power off
# and, before any of these:
#   openvmm.modules=a,b   load these drivers
#   openvmm.coldplug=1    load the drivers of the devices that are there
#   OPENVMM_RUN="command" run the command with sh, then print "openvmm-guest: status=N"

/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm

say() { echo "openvmm-guest: $*"; }

first_line() {
	line=
	[ -r "$1" ] && read -r line <"$1"
	echo "$line"
}

load_present_drivers() {
	find /sys/devices -name modalias -type f | while read -r file; do
		first_line "$file"
	done | sort -u | xargs -r modprobe -q -a 2>/dev/null
}

mode=
coldplug=
read -r cmdline </proc/cmdline
set -f
for word in $cmdline; do
	case "$word" in
	openvmm.test=*) mode=${word#*=} ;;
	openvmm.modules=*) modules=${word#*=} ;;
	openvmm.coldplug=*) coldplug=${word#*=} ;;
	esac
done
set +f

[ -n "$modules" ] && modprobe -a $(echo "$modules" | tr , ' ')
[ "$coldplug" = 1 ] || [ -z "$mode$OPENVMM_RUN" ] && load_present_drivers

if [ -n "$OPENVMM_RUN" ]; then
	sh -c "$OPENVMM_RUN"
	say "status=$?"
fi

report() {
	say "kernel=$(uname -r)"
	say "cpus=$(nproc)"
	while read -r name value _; do
		[ "$name" = MemTotal: ] && say "mem_kib=$value" && break
	done </proc/meminfo
	say "cmdline=$cmdline"
	say "clocksource=$(first_line /sys/devices/system/clocksource/clocksource0/current_clocksource)"
	say "dmi_vendor=$(first_line /sys/class/dmi/id/sys_vendor)"
	say "dmi_product=$(first_line /sys/class/dmi/id/product_name)"
	# Of every interrupt through PIC or I/O APIC: its name and how often it came.
	say "interrupts=$(awk '/IO-APIC|XT-PIC/ {n = 0; for (i = 2; i <= NF; i++) if ($i ~ /^[0-9]+$/) n += $i; printf "%s:%d ", $NF, n}' /proc/interrupts)"
	say "pci=$(ls /sys/bus/pci/devices 2>/dev/null | wc -l)"
	say ready
}

case "$mode" in
report)
	report
	poweroff -f
	;;
reboot)
	report
	reboot -f
	;;
echo)
	say ready
	while read -r line; do
		[ "$line" = quit ] && break
		say "echo=$line"
	done
	poweroff -f
	;;
'')
	[ -n "$OPENVMM_RUN" ] && poweroff -f
	echo 'The guest is up. Leave the shell to power it off.'
	setsid cttyhack sh
	poweroff -f
	;;
*)
	say "error=unknown openvmm.test=$mode"
	poweroff -f
	;;
esac
# An init that returns is a kernel panic; this one only gets here when powering off did nothing.
say 'error=power off had no effect'
sleep 1000000
