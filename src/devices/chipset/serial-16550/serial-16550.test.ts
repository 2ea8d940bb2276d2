import {mkdtempSync, openSync, readFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import type {SerialBack} from '#devices/serial-backends';
import {DeviceUnderTest} from '#devices/testing';
import {type Serial16550Config, serial16550, standardSerialPorts} from './index.ts';
import {receiveCapacity, transmitCapacity} from './state.ts';

const base = 0x3f8;
const RBR = base;
const THR = base;
const IER = base + 1;
const IIR = base + 2;
const FCR = base + 2;
const LCR = base + 3;
const MCR = base + 4;
const LSR = base + 5;
const MSR = base + 6;
const SCR = base + 7;

const make = (rest: Partial<Serial16550Config> = {}) =>
	new DeviceUnderTest(serial16550, {base, irq: 4, backend: {kind: 'stderr'}, ...rest});

const unattached = () => make({backend: {kind: 'none'}});

/** A UART whose input the test feeds and whose output goes nowhere. */
function withInput(rest: Partial<Serial16550Config> = {}) {
	const uart = make({backend: {kind: 'console', outputFd: openSync('/dev/null', 'w')}, ...rest});
	const back = uart.startBack() as SerialBack;
	uart.in(MSR);
	return {uart, back, feed: (text: string) => back.feed(new TextEncoder().encode(text))};
}

/** Reads while there is data. */
function drain(uart: ReturnType<typeof make>): string {
	let text = '';
	while ((uart.in(LSR) & 1) !== 0) text += String.fromCharCode(uart.in(RBR));
	return text;
}

test('the standard ports are those of a PC', (t) => {
	t.deepEqual(
		standardSerialPorts.map(({name, base: first, irq}) => `${name} ${first.toString(16)} ${irq}`),
		['com1 3f8 4', 'com2 2f8 3', 'com3 3e8 4', 'com4 2e8 3'],
	);
});

test('registers start as the data sheet says and hold what was written', (t) => {
	const uart = unattached();
	t.deepEqual(
		[IER, IIR, LCR, MCR, LSR, MSR].map((port) => uart.in(port)),
		[0, 0x01, 0, 0, 0x60, 0],
	);
	uart.out(IER, 0xff);
	uart.out(LCR, 0x1b);
	uart.out(MCR, 0xff);
	uart.out(SCR, 0x5a);
	t.deepEqual(
		[IER, LCR, MCR, SCR].map((port) => uart.in(port)),
		[0x0f, 0x1b, 0x1f, 0x5a],
	);
});

test('DLAB shows the divisor in place of data and interrupt enables', (t) => {
	const uart = unattached();
	uart.out(IER, 0x05);
	uart.out(LCR, 0x83);
	t.is(uart.in(base, 2), 12, '9600 baud at power-on, in one 16-bit access');
	uart.out(base, 0x0201, 2);
	uart.out(LCR, 0x03);
	t.is(uart.in(IER), 0x05);
	t.is(uart.in(RBR), 0);
	uart.out(LCR, 0x83);
	t.deepEqual([uart.in(base), uart.in(base + 1)], [1, 2]);
});

test("the steps of Linux's probe find a 16550A with a 16-byte FIFO", (t) => {
	const uart = unattached();
	uart.out(IER, 0);
	t.is(uart.in(IER), 0);
	uart.out(IER, 0x0f);
	t.is(uart.in(IER), 0x0f);
	uart.out(IER, 0);
	uart.out(MCR, 0x10 | 0x0a);
	t.is(uart.in(MSR) & 0xf0, 0x90, 'loop-back shows RTS as CTS and OUT2 as DCD');
	uart.out(MCR, 0);
	// An extended feature register would sit at offset 2 in this mode.
	uart.out(LCR, 0xbf);
	uart.out(FCR, 0);
	uart.out(LCR, 0);
	uart.out(FCR, 0x01);
	t.is(uart.in(IIR) >> 6, 3, 'working FIFOs');
	uart.out(LCR, 0x80);
	t.not(uart.in(IIR), 0, 'no ST16650');
	uart.out(LCR, 0xbf);
	t.not(uart.in(IIR), 0, 'no XR16850');
	uart.out(LCR, 0xe0);
	const outside = uart.in(IIR);
	uart.out(LCR, 0);
	uart.out(MCR, 0x10);
	uart.out(LCR, 0xe0);
	t.is((outside ^ uart.in(IIR)) & 0x10, 0, 'no NS16550 super I/O');
	uart.out(LCR, 0x80);
	uart.out(FCR, 0x21);
	t.is(uart.in(IIR) & 0xe0, 0xc0, 'no TI16750');
	uart.out(LCR, 0);
	uart.out(IER, 0x40);
	t.is(uart.in(IER) & 0x40, 0, 'no XScale');
	uart.out(FCR, 0x07);
	uart.out(MCR, 0x10);
	for (let count = 0; count < 256; count++) uart.out(THR, count);
	t.is(drain(uart).length, 16);
});

test("Linux's transmit tests see the interrupt raised each time it is enabled", (t) => {
	const uart = unattached();
	uart.out(IER, 2);
	t.is(uart.in(IIR), 0x02);
	t.is(uart.in(IIR), 0x01, 'reading IIR takes note');
	uart.out(IER, 0);
	uart.out(IER, 2);
	t.is(uart.in(IIR), 0x02);
});

test('each looped-back byte returns in order, and the byte after a full FIFO is the one lost', (t) => {
	const uart = unattached();
	uart.out(FCR, 0x07);
	uart.out(MCR, 0x10);
	for (const byte of 'abcdefghijklmnopq') uart.out(THR, byte.charCodeAt(0));
	uart.out(IER, 0x04);
	t.is(uart.in(IIR) & 0x0f, 0x06, 'line status');
	t.is(uart.in(LSR) & 0x03, 0x03);
	t.is(uart.in(LSR) & 0x02, 0, 'reading clears the overrun');
	t.is(drain(uart), 'abcdefghijklmnop');
	t.is(uart.state.rxDropped, 1);
});

test('without FIFOs a looped-back byte replaces the unread one', (t) => {
	const uart = unattached();
	uart.out(MCR, 0x10);
	uart.out(THR, 0x61);
	uart.out(THR, 0x62);
	t.is(uart.in(LSR) & 0x03, 0x03);
	t.is(drain(uart), 'b');
});

test('interrupts are identified by priority and OUT2 gates the line', (t) => {
	const {uart, feed} = withInput();
	uart.out(FCR, 0x41);
	uart.out(MCR, 0x1b);
	for (let count = 0; count < 17; count++) uart.out(THR, 0x30);
	uart.out(MCR, 0x0b);
	uart.in(MSR);
	uart.out(MCR, 0x1b);
	uart.out(MCR, 0x08);
	uart.out(MCR, 0x18);
	uart.out(MCR, 0x08);
	uart.out(IER, 0x0f);
	feed('x');
	const seen: number[] = [];
	const note = () => seen.push(uart.in(IIR) & 0x0f);
	note();
	uart.in(LSR);
	note();
	for (let count = 0; count < 14; count++) uart.in(RBR);
	note();
	drain(uart);
	note();
	note();
	uart.in(MSR);
	note();
	t.deepEqual(seen, [0x06, 0x04, 0x0c, 0x02, 0x00, 0x01]);
	t.deepEqual(uart.levels.get('interrupt'), false);
	uart.out(IER, 0);
	uart.out(IER, 2);
	t.true(uart.levels.get('interrupt'));
	uart.out(MCR, 0x03);
	t.false(uart.levels.get('interrupt'));
});

test('the receive trigger tells data from a timeout', (t) => {
	const {uart, feed} = withInput();
	uart.out(FCR, 0xc1);
	uart.out(IER, 1);
	feed('0123456789abc');
	t.is(uart.in(IIR), 0xcc);
	feed('d');
	t.is(uart.in(IIR), 0xc4);
	t.is(drain(uart), '0123456789abcd');
	t.is(uart.in(IIR), 0xc1);
	t.is(uart.state.rxBytes, 14);
});

test('host input waits while loop-back is on', (t) => {
	const {uart, feed} = withInput();
	feed('host');
	uart.out(MCR, 0x1e);
	uart.out(THR, 0xae);
	t.is(uart.in(RBR), 0xae);
	t.is(uart.in(LSR) & 1, 0);
	uart.out(MCR, 0x0f);
	t.is(drain(uart), 'host');
});

test('input beyond the ring stays with the host until the guest reads', (t) => {
	const {uart, back} = withInput();
	const sent = Uint8Array.from({length: receiveCapacity + 1000}, (_, i) => 65 + (i % 26));
	t.is(back.feed(sent.subarray(0, receiveCapacity)), receiveCapacity);
	t.is(back.feed(sent.subarray(receiveCapacity)), 1000);
	let received = '';
	for (let turn = 0; turn < 4; turn++) {
		received += drain(uart);
		uart.reactor.turn();
	}
	t.is(received, String.fromCharCode(...sent));
	t.is(uart.state.rxDropped, 0);
});

test('with waitForRts nothing typed ahead is lost to a FIFO reset', (t) => {
	const {uart, feed} = withInput({waitForRts: true});
	feed('early');
	uart.reactor.turn();
	uart.out(FCR, 0x07);
	t.is(uart.in(LSR) & 1, 0);
	uart.out(MCR, 0x0b);
	uart.reactor.turn();
	t.is(drain(uart), 'early');
	t.is(uart.state.rxDropped, 0);
});

test('a FIFO reset drops what the FIFO held, and counts it', (t) => {
	const {uart, feed} = withInput();
	uart.out(FCR, 0x01);
	feed('0123456789abcdefrest');
	uart.out(FCR, 0x03);
	t.is(drain(uart), 'rest');
	t.is(uart.state.rxDropped, 16);
});

test('modem lines follow the other end and latch their changes', (t) => {
	const uart = make({backend: {kind: 'console', outputFd: openSync('/dev/null', 'w')}});
	t.is(uart.in(MSR), 0);
	uart.startBack();
	t.is(uart.in(MSR), 0xbb);
	t.is(uart.in(MSR), 0xb0);
	uart.out(MCR, 0x14);
	t.is(uart.in(MSR), 0x4b, 'OUT1 is RI in loop-back');
	uart.out(MCR, 0x10);
	t.is(uart.in(MSR), 0x04, 'the end of a ring is latched');
});

test('THRE falls before a byte could be lost, and its interrupt returns when the host takes some', (t) => {
	const uart = make({backend: {kind: 'console', outputFd: openSync('/dev/null', 'w')}});
	uart.out(MCR, 0x08);
	uart.out(IER, 2);
	let written = 0;
	while ((uart.in(LSR) & 0x60) === 0x60) {
		for (let burst = 0; burst < 16; burst++) uart.out(THR, written++);
	}
	t.is(written, transmitCapacity);
	t.is(uart.state.txDropped, 0);
	uart.out(THR, 0);
	t.is(uart.state.txDropped, 1, 'a byte without room is counted');
	t.is(uart.in(IIR), 0x01);
	t.false(uart.levels.get('interrupt'));
	t.is(uart.notifications, 1, 'one wake-up for the whole burst');
	uart.startBack();
	t.true(uart.levels.get('interrupt'));
	t.is(uart.in(IIR), 0x02);
	t.is(uart.in(LSR), 0x60);
});

test('every accepted byte reaches the file, in order, before stop resolves', async (t) => {
	const path = join(mkdtempSync(join(tmpdir(), 'serial-')), 'out');
	const uart = make({backend: {kind: 'file', path}});
	const back = uart.startBack();
	const text = 'hello from the guest\n'.repeat(5000);
	for (const [index, char] of [...text].entries()) {
		uart.out(THR, char.charCodeAt(0));
		if (index % 30_000 !== 0) continue;
		uart.reactor.turn();
		await uart.turnUntil(() => uart.state.txHead === uart.state.txTail);
	}
	await uart.stopBack();
	back.dispose();
	t.is(readFileSync(path, 'latin1'), text);
	t.is(uart.state.txBytes, text.length);
	t.is(uart.state.txDropped + uart.state.txDiscarded, 0);
	t.is(uart.in(LSR), 0x60);
});

test('a port with nothing attached is always ready and wakes nobody', (t) => {
	const uart = unattached();
	for (let count = 0; count < 200_000; count++) uart.out(THR, 0x2e);
	t.is(uart.in(LSR), 0x60);
	t.is(uart.notifications, 0);
	t.is(uart.state.txDiscarded, 200_000);
});
