import test from 'ava';
import {ioApic82093aaKind} from '#devices/chipset/ioapic-82093aa';
import {latchKind} from '#devices/chipset/latch';
import {serial16550Kind} from '#devices/chipset/serial-16550';
import type {DeviceInstance} from '#devices/device';
import {tellingInterrupts} from '#devices/interrupts/testing';
import {oneThreadMachine} from '#devices/testing';
import type {SavedDevices} from './index.ts';

const shared = (name: string, kind: string, config: unknown): DeviceInstance => ({name, kind, config});
const latchAt = (port: number) => shared('latch', latchKind, {port});
const devices = [
	latchAt(0x500),
	shared('com1', serial16550Kind, {base: 0x3f8, irq: 4, backend: {kind: 'none'}}),
	shared('ioapic', ioApic82093aaKind, {base: 0xfec0_0000}),
];

function machineOf(instances: readonly DeviceInstance[]) {
	const lines: [number, boolean][] = [];
	const routes: number[][] = [];
	const interrupts = tellingInterrupts({
		setLine: (gsi, asserted) => void lines.push([gsi, asserted]),
		routes: (all) => void routes.push(all.map(({gsi}) => gsi)),
	});
	return {...oneThreadMachine(instances, {interrupts}), lines, routes};
}

/** Latches a value, makes the serial port ask for its interrupt, and routes the I/O APIC's input 4. */
function disturb({bus}: ReturnType<typeof machineOf>): void {
	bus.writePort(0x500, 4, 0x1234_5678);
	bus.writePort(0x3fc, 1, 0x08);
	bus.writePort(0x3f9, 1, 0x02);
	bus.writeMmio(0xfec0_0000, 4, 0x18);
	bus.writeMmio(0xfec0_0010, 4, 0x31);
}

test('a machine of the same devices goes on from saved state, interrupts included', (t) => {
	const [one, two] = [machineOf(devices), machineOf(devices)];
	disturb(one);
	t.deepEqual(one.lines, [[4, true]]);
	two.machine.restore(JSON.parse(JSON.stringify(one.machine.save())) as SavedDevices);
	t.deepEqual(two.machine.stateOf('latch'), one.machine.stateOf('latch'));
	t.is(two.bus.readPort(0x500, 4), 0x1234_5678);
	t.deepEqual(two.routes.at(-1), [4], 'KVM is told again which messages to expect');
	t.deepEqual(two.lines, [], 'the line is up already: the controller has that in its own state');
	t.is(two.bus.readPort(0x3fa, 1) & 0x0f, 0x02);
	t.deepEqual(two.lines, [[4, false]], 'reading the cause takes it down');
});

test('a machine of other devices is refused, with what differs', (t) => {
	const {machine} = machineOf(devices);
	const saved = machine.save();
	const other = machineOf([latchAt(0x500), shared('debug-exit', 'debug-exit', {port: 0xf4})]);
	const error = t.throws(() => other.machine.restore(saved), {code: 'STATE_DEVICES_DIFFER'});
	t.regex(error.message, /without debug-exit.*with com1 \(serial-16550\), with ioapic/);
	const moved = {...saved, devices: {...saved.devices, latch: {...saved.devices['latch'], kind: 'other'}}};
	t.throws(() => machine.restore(moved as SavedDevices), {code: 'STATE_DEVICES_DIFFER'});
	t.throws(() => machine.restore({...saved, interrupts: 'AAAA'}), {code: 'STATE_DEVICES_DIFFER'});
	for (const nonsense of [null, 1, {}, {...saved, devices: null}, {...saved, devices: {latch: null}}, {devices: {}}])
		t.throws(() => machine.restore(nonsense as never), {code: 'STATE_FIELD_WRONG'});
});
