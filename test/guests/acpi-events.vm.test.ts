import {generationIdName, newGeneration} from '#main/machine';
import {irqchipsHere, linuxTest, runInLinux, until} from '#test/petri';

/** A word of the id, as `devmem` prints what it reads. */
function word(id: string, at: number): string {
	const value = Buffer.from(id, 'hex').readBigUInt64LE(at);
	return `0x${value.toString(16).toUpperCase().padStart(16, '0')}`;
}

for (const irqchip of irqchipsHere) {
	linuxTest(
		`Linux sees the power button, and a new generation by its event: irqchip ${irqchip}`,
		async (t, machine) => {
			const guest = await runInLinux(machine, {irqchip, processors: {count: 2}}, [
				'modprobe -a button evdev',
				'echo names=$(cat /sys/bus/acpi/devices/OVMM0001:00/modalias)',
				'echo button=$(cat /sys/class/input/event*/device/name)',
				'echo id=$(devmem 0xe1000 64) $(devmem 0xe1008 64)',
				// From now on events wait for the reader.
				'for d in /sys/class/input/event*; do grep -q Power $d/device/name && exec 3</dev/input/$(basename $d); done',
				'echo listening',
				until("grep -q '^ *1 ' /sys/firmware/acpi/interrupts/gpe00"),
				'echo new=$(devmem 0xe1000 64) $(devmem 0xe1008 64)',
				'echo key=$(dd bs=24 count=1 <&3 2>/dev/null | tail -c 8 | xxd -p)',
			]);
			await guest.waitFor(/^listening/m);
			const change = newGeneration();
			await guest.vm.control(generationIdName, change);
			await t.throwsAsync(guest.vm.control('no-such-device', change), {code: 'VM_DEVICE_UNKNOWN'});
			await guest.waitFor(/^new=/m);
			await guest.vm.powerButton();
			t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
			t.regex(guest.output, /^names=acpi:OVMM0001:VM_GEN_COUNTER:VMGENCTR:/m);
			t.regex(guest.output, /^button=.*Power Button/m);
			t.regex(guest.output, /^key=0100740001000000/m, 'EV_KEY, KEY_POWER, pressed');
			t.true(guest.output.includes(`new=${word(change.id, 0)} ${word(change.id, 8)}`));
		},
	);
}
