import test from 'ava';
import {AcpiNames} from '#devices/acpi';
import {i8042, i8042Type, type MoveMouse, type PressKey} from './index.ts';
import {makeI8042} from './testing/make-i8042.ts';

const aux = 0x100;
const keyA = 0x04;

test('the lines are inputs 1 and 12 unless the configuration says otherwise', (t) => {
	t.deepEqual(i8042.lines?.({}), {keyboard: 1, mouse: 12});
	t.deepEqual(i8042.lines?.({keyboardIrq: 17, mouseIrq: 18}), {keyboard: 17, mouse: 18});
});

test('pulsing output line 0 resets, pulsing others does not', (t) => {
	const {device} = makeI8042();
	device.out(0x64, 0xfd);
	t.deepEqual(device.events, []);
	device.out(0x64, 0xfe);
	t.deepEqual(device.events, [{kind: 'reset'}]);
});

test('clearing bit 0 of the output port resets, opening A20 does not', (t) => {
	const {device} = makeI8042();
	device.out(0x64, 0xd1);
	device.out(0x60, 0xdf);
	t.deepEqual(device.events, []);
	device.out(0x64, 0xd1);
	device.out(0x60, 0xfe);
	t.deepEqual(device.events, [{kind: 'reset'}]);
});

test("a driver's probe is answered at once and finds a controller with both ports", (t) => {
	const {device, command} = makeI8042();
	t.is(device.in(0x64), 0x14, 'nothing to flush');
	t.deepEqual(command(0x20), [0x74]);
	t.deepEqual(command(0x60, 0x65), []);
	t.deepEqual(command(0x20), [0x65]);
	t.deepEqual(command(0xaa), [0x55]);
	t.deepEqual(command(0x20), [0x74], 'the self-test resets the mode byte');
	t.deepEqual(command(0xab), [0x00]);
	t.deepEqual(command(0xd2, 0x5a), [0x5a]);
	t.deepEqual(command(0xd3, 0x5a), [0x5a + aux]);
	t.deepEqual(command(0xa9), [0x00]);
	t.deepEqual(command(0xc0), [0x80]);
	t.deepEqual(command(0xd0), [0x03]);
});

test("Linux's look for an auxiliary port: loop, enable and disable, no multiplexer, interrupt", (t) => {
	const {device, command, level} = makeI8042();
	command(0x60, 0x74);
	t.deepEqual(command(0xd3, 0x5a), [0x5a + aux]);
	command(0xa7);
	t.deepEqual(command(0x20), [0x74]);
	command(0xa8);
	t.deepEqual(command(0x20), [0x54]);
	t.deepEqual(
		[0xf0, 0x56, 0xa4].map((byte) => command(0xd3, byte)[0]),
		[0x1f0, 0x156, 0x1a4],
	);
	command(0x60, 0x56);
	device.out(0x64, 0xd3);
	device.out(0x60, 0xa5);
	t.true(level('mouse'));
	t.false(level('keyboard'));
	t.is(device.in(0x64) & 0x21, 0x21);
	t.is(device.in(0x60), 0xa5);
	t.false(level('mouse'));
});

test('enable and disable commands show in the mode byte', (t) => {
	const {device, command} = makeI8042();
	device.out(0x64, 0xae);
	device.out(0x64, 0xa8);
	t.deepEqual(command(0x20), [0x44]);
	device.out(0x64, 0xad);
	device.out(0x64, 0xa7);
	t.deepEqual(command(0x20), [0x74]);
});

test('sending to a device enables its port', (t) => {
	const {command, keyboard, mouse} = makeI8042();
	t.deepEqual(keyboard(0xee), [0xee]);
	t.deepEqual(command(0x20), [0x64]);
	t.deepEqual(mouse(0xe6), [0xfa]);
	t.deepEqual(command(0x20), [0x44]);
});

test('the status shows the system flag of the mode byte and what was written last', (t) => {
	const {device, command} = makeI8042();
	command(0x60, 0x70);
	t.is(device.in(0x64), 0x10);
	device.out(0x64, 0xad);
	t.is(device.in(0x64), 0x18);
});

test('a command takes the place of one that waits for data, and unknown ones do nothing', (t) => {
	const {device, command, keyboard} = makeI8042();
	device.out(0x64, 0x60);
	t.deepEqual(command(0xa7), []);
	t.deepEqual(keyboard(0xee), [0xee], 'not the mode byte any more');
	t.deepEqual(
		[0x00, 0x21, 0x7f, 0xa0, 0xc8, 0xd5, 0xdd, 0xef].flatMap((code) => command(code)),
		[],
	);
});

test('the line of the waiting byte is up while its interrupt is enabled', (t) => {
	const {device, input, command, level} = makeI8042();
	command(0x60, 0x44);
	input.pressKey(keyA, true);
	t.false(level('keyboard'), 'masked');
	// The mode byte is written without reading first.
	device.out(0x64, 0x60);
	device.out(0x60, 0x47);
	t.true(level('keyboard'));
	device.out(0x64, 0x60);
	device.out(0x60, 0x46);
	t.false(level('keyboard'));
	device.out(0x64, 0x60);
	device.out(0x60, 0x47);
	t.is(device.in(0x60), 0x1e);
	t.deepEqual(device.edges, ['keyboard up', 'keyboard down', 'keyboard up', 'keyboard down']);
	t.is(device.in(0x60), 0x1e, 'an empty buffer gives the latest byte again');
});

test('bytes follow each other with an edge for each, from both ports', (t) => {
	const {device, input, command, mouse} = makeI8042();
	mouse(0xf4);
	command(0x60, 0x47);
	device.edges.length = 0;
	input.pressKey(0x52, true);
	input.moveMouse({dx: 1});
	const statuses: number[] = [];
	const bytes: number[] = [];
	for (let i = 0; i < 5; i++) {
		statuses.push(device.in(0x64) & 0x21);
		bytes.push(device.in(0x60));
	}
	t.deepEqual(bytes, [0xe0, 0x48, 0x08, 1, 0]);
	t.deepEqual(statuses, [0x01, 0x01, 0x21, 0x21, 0x21]);
	t.deepEqual(
		device.edges,
		['keyboard', 'keyboard', 'mouse', 'mouse', 'mouse'].flatMap((name) => [`${name} up`, `${name} down`]),
	);
});

test('the output port shows whose byte waits', (t) => {
	const {device, input, command, mouse} = makeI8042();
	mouse(0xf4);
	command(0x60, 0x44);
	input.pressKey(keyA, true);
	device.out(0x64, 0xd0);
	t.deepEqual([device.in(0x60), device.in(0x60)], [0x1e, 0x13]);
	input.moveMouse({dx: 1});
	device.out(0x64, 0xd0);
	t.deepEqual([device.in(0x60), device.in(0x60)], [0x08, 0x23]);
});

test('a disabled port keeps its bytes until it is enabled', (t) => {
	const {input, command, drain, mouse, packets} = makeI8042();
	mouse(0xf4);
	command(0xa7);
	input.pressKey(keyA, true);
	input.moveMouse({dx: 1});
	t.deepEqual(drain(), []);
	t.deepEqual(command(0xae), [0x1e]);
	t.deepEqual(command(0xa8), [0x108, 0x101, 0x100]);
	t.deepEqual(packets(), []);
});

test("the controller's answer waits for the byte before it and goes ahead of the devices' next", (t) => {
	const {device, input, command, drain} = makeI8042();
	command(0x60, 0x44);
	input.pressKey(0x52, true);
	device.out(0x64, 0x20);
	t.deepEqual(drain(), [0xe0, 0x44, 0x48]);
	device.out(0x64, 0xab);
	device.out(0x64, 0x20);
	device.out(0x64, 0xd0);
	t.deepEqual(drain(), [0x00, 0x13], 'only the latest waits');
});

test('the self-test empties the output', (t) => {
	const {device, input, command, level} = makeI8042();
	command(0x60, 0x45);
	input.pressKey(keyA, true);
	device.out(0x64, 0x20);
	t.true(level('keyboard'));
	t.deepEqual(command(0xaa), [0x55]);
	t.false(level('keyboard'));
});

test('reset brings everything back and drops the lines', (t) => {
	const {device, input, keyboard, mouse, command, level} = makeI8042();
	const initial = JSON.stringify(device.decode());
	keyboard(0xf0, 0x01, 0xed, 0x07);
	mouse(0xf3, 200, 0xf3, 100, 0xf3, 80, 0xf4);
	command(0x60, 0x03);
	input.pressKey(keyA, true);
	input.moveMouse({dx: 5, buttons: 3});
	t.true(level('keyboard'));
	device.reset();
	t.false(level('keyboard'));
	t.is(JSON.stringify(device.decode()), initial);
});

test("the machine's owner presses keys and moves the mouse", (t) => {
	const {device, drain, command, mouse} = makeI8042();
	command(0x60, 0x03);
	const press: PressKey = {kind: 'press-key', usage: keyA, down: true};
	device.control(press);
	t.deepEqual(drain(), [0x1c], 'A, in set 2');
	mouse(0xf4);
	const move: MoveMouse = {kind: 'move-mouse', move: {dx: 3, dy: -2}};
	device.control(move);
	t.deepEqual(drain(), [0x108, 0x103, 0x102]);
	device.control({kind: 'power-button'});
	t.deepEqual(drain(), []);
});

test('ACPI has keyboard and mouse with the interrupts of a PC, and the FADT the controller', (t) => {
	const {device, fadt} = i8042Type.acpi?.({}, new AcpiNames(), {}) ?? {};
	const hex = Buffer.from(device ?? []).toString('hex');
	t.deepEqual(fadt, {iaPcBootArch: {i8042: true}});
	t.true(hex.includes('4701600060000101' + '4701640064000101' + '220200'));
	t.true(hex.includes('220010'));
});
