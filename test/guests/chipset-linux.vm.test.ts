import {defaultBattery, type UpdateBattery} from '#devices/chipset/battery';
import type {PressKey} from '#devices/chipset/i8042';
import {irqchipsHere, linuxTest, runInLinux, until} from '#test/petri';

const battery = 0xfed3_f000;
const register = (offset: number) => `$(devmem 0x${(battery + offset).toString(16)})`;
const pressA: PressKey = {kind: 'press-key', usage: 4, down: true};
const update: UpdateBattery = {
	kind: 'update-battery',
	status: {...defaultBattery, charging: false, discharging: true, remainingMwh: 500, acOnline: false},
};

const watchdog = {kind: 'guest-watchdog'};

for (const irqchip of irqchipsHere) {
	linuxTest(
		`Linux finds the chipset's devices, hears of the battery, and reports its panic: ${irqchip}`,
		async (t, machine) => {
			const options = {irqchip, processors: {count: 2}, devices: [{kind: 'hpet'}, watchdog, {kind: 'battery'}]};
			const guest = await runInLinux(machine, options, [
				'modprobe -a wdat_wdt pvpanic_mmio evdev',
				// The keyboard is found by a thread of the kernel's own.
				until('grep -qs AT /sys/class/input/event*/device/name'),
				'echo clocksources=$(cat /sys/devices/system/clocksource/clocksource0/available_clocksource)',
				'echo serio=$(cat /sys/bus/serio/devices/*/description)',
				'echo inputs=$(cat /sys/class/input/input*/name)',
				'echo pnp=$(ls /sys/bus/acpi/devices)',
				'echo pvpanic=$(ls /sys/bus/platform/drivers/pvpanic-mmio)',
				'echo watchdog=$(cat /sys/class/watchdog/watchdog0/identity)',
				'cat /proc/interrupts',
				'for d in /sys/class/input/event*; do grep -q AT $d/device/name && exec 3</dev/input/$(basename $d); done',
				'echo listening',
				until("grep -q '^ *1 ' /sys/firmware/acpi/interrupts/gpe09"),
				`echo battery=${register(0x04)} ${register(0x0c)} ${register(0x14)}`,
				'echo key=$(dd bs=24 count=2 <&3 2>/dev/null | tail -c 8 | xxd -p)',
				// The kernel's last words would come amid a line that is still on its way: the rest of the key, and the next one.
				'dd bs=24 count=2 <&3 >/dev/null 2>&1',
				'echo c >/proc/sysrq-trigger',
			]);
			await guest.waitFor(/^listening/m);
			await guest.vm.control('battery', update);
			await guest.vm.control('i8042', pressA);
			await guest.waitFor(/^key=\w+\r?\n/m);
			await guest.vm.control('i8042', pressA);
			t.deepEqual(await guest.vm.ended, {kind: 'crash', reason: 'the guest reported a panic', status: 3}, guest.output);
			t.regex(guest.output, /^clocksources=.*\bhpet\b/m);
			t.regex(guest.output, /^serio=i8042 KBD port i8042 AUX port/m);
			t.regex(guest.output, /^inputs=.*AT Translated Set 2 keyboard/m);
			for (const id of ['PNP0303', 'PNP0F13', 'PNP0103', 'PNP0C0A', 'ACPI0003']) {
				t.regex(guest.output, new RegExp(`^pnp=.*\\b${id}:00`, 'm'));
			}
			t.regex(guest.output, /^pvpanic=.*QEMU0001:00/m);
			t.regex(guest.output, /^watchdog=wdat_wdt/m);
			t.regex(guest.output, /^key=01001e0001000000/m, 'EV_KEY, KEY_A, pressed');
			t.regex(guest.output, /^battery=0x00000001 0x000009C4 0x00000000/m, 'discharging, half full, and told of');
		},
	);
}

linuxTest('a watchdog that Linux stops feeding resets it, and says so afterwards', async (t, machine) => {
	const options = {devices: [watchdog], guestActions: {watchdog: 'reset'}} as const;
	const guest = await runInLinux(machine, options, [
		'modprobe wdat_wdt timeout=2',
		'echo boot-status=$(cat /sys/class/watchdog/watchdog0/bootstatus)',
		'[ $(cat /sys/class/watchdog/watchdog0/bootstatus) = 32 ] && poweroff -f',
		'exec 3>/dev/watchdog',
		'sleep 1000',
	]);
	t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
	t.deepEqual(
		[...guest.output.matchAll(/^boot-status=(\d+)/gm)].map(([, status]) => status),
		['0', '32'],
		'WDIOF_CARDRESET after the second start',
	);
	t.is(guest.vm.state, 'stopped');
});

linuxTest('a watchdog that fires ends the machine when that is asked for', async (t, machine) => {
	const options = {irqchip: 'split', devices: [watchdog], guestActions: {watchdog: {exit: 9}}} as const;
	const guest = await runInLinux(machine, options, [
		'modprobe wdat_wdt timeout=2',
		'exec 3>/dev/watchdog',
		'sleep 1000',
	]);
	t.deepEqual(await guest.vm.ended, {kind: 'watchdog', status: 9}, guest.output);
});

for (const irqchip of irqchipsHere) {
	linuxTest(`without local APIC, the HPET carries the kernel in the PIT's place: ${irqchip}`, async (t, machine) => {
		const show = [
			'echo event-source=$(cat /sys/devices/system/clockevents/clockevent0/current_device)',
			until("[ $(grep -o '0: *[0-9]*' /proc/interrupts | head -n 1 | cut -d: -f2) -gt 100 ]"),
			"echo timer=$(grep -o '0: *[0-9]*' /proc/interrupts | head -n 1)",
		];
		const guest = await runInLinux(machine, {irqchip, devices: [{kind: 'hpet'}]}, show, 'nolapic');
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
		t.regex(guest.output, /^event-source=hpet/m);
		t.true(Number(/^timer=0: *(\d+)/m.exec(guest.output)?.[1]) > 100, guest.output);
	});
}
