import test from 'ava';
import {hpet, hpetAddress} from '#devices/chipset/hpet';
import {ioApic82093aa} from '#devices/chipset/ioapic-82093aa';
import {pic8259} from '#devices/chipset/pic-8259';
import {pit8254} from '#devices/chipset/pit-8254';
import type {DeviceInstance} from '#devices/device';
import {extIntInput, hpetInputs} from '#devices/interrupts';
import {tellingInterrupts} from '#devices/interrupts/testing';
import {oneThreadMachine} from '#devices/testing';
import {SplitInterrupts} from './index.ts';

const instance = (name: string, kind: string, config: unknown): DeviceInstance => ({name, kind, config});
const chips: readonly DeviceInstance[] = [
	instance('pic', pic8259.kind, {intrInput: extIntInput}),
	instance('ioapic', ioApic82093aa.kind, {}),
];
const machines: Readonly<Record<string, readonly DeviceInstance[]>> = {
	'that leads to the PIC': [instance('pit', pit8254.kind, {irq: 0})],
	'that leads through the HPET': [
		instance('pit', pit8254.kind, {irq: hpetInputs.pit}),
		instance('hpet', hpet.kind, {base: hpetAddress}),
	],
};

for (const [what, timers] of Object.entries(machines)) {
	test(`a tick of a PIT ${what} takes no request back that waits for INTA`, (t) => {
		let alerts = 0;
		const interrupts = new SplitInterrupts({messages: tellingInterrupts().messages, alertBootCpu: () => alerts++});
		const devices = [...chips, ...timers];
		const {machine, bus} = oneThreadMachine(devices, {interrupts, layout: oneThreadMachine(devices).layout});
		interrupts.bind(machine);
		const write = (port: number, value: number) => void bus.writePort(port, 1, value);
		for (const [port, value] of [
			[0x20, 0x11],
			[0x21, 0x30],
			[0x21, 0x04],
			[0x21, 0x01],
		] as const)
			write(port, value);
		const timer = machine.devices.find(({placed}) => placed.name === 'pit')?.services.line('timer');
		timer?.rise();
		timer?.rise();
		timer?.rise();
		t.is(alerts, 1, 'INTR rose once and did not fall');
		t.is(interrupts.acknowledge(), 0x30);
		t.false(interrupts.extInt);
		write(0x20, 0x20);
		timer?.rise();
		t.is(alerts, 2);
		t.is(interrupts.acknowledge(), 0x30);
	});
}
