import test from 'ava';
import {type GsiRoute, GsiTable} from '#devices/interrupts';
import {Command, ConfigSpace, Header, keptBytes, Msix, MsixControl} from '#devices/pci/config-space';
import {beginChange, endChange} from '#support/shared-memory';
import {FunctionInterrupts} from './function-interrupts.ts';
import {endpointLayout} from './function-layout.ts';
import {MsixTable, pendingBytes, tableBytes} from './msix-table.ts';

const vectors = 3;
const place = {bar: 1, table: 0, pending: 0x800};

/** A function on two threads: its back signals, and at a moment that a test chooses a processor is at its registers. */
function make() {
	const {layout, places} = endpointLayout({
		owner: 'signal-test',
		vendor: 1,
		device: 2,
		class: 3,
		express: {type: 'endpoint', functionReset: true},
		bars: [{index: 1, size: 0x1000}],
		vectors,
		msi: false,
		msix: place,
	});
	const sequence = new Int32Array(new SharedArrayBuffer(4));
	const bytes = (length: number) => new Uint8Array(new SharedArrayBuffer(length));
	const space = new ConfigSpace(layout, bytes(keptBytes));
	const [entries, pending] = [bytes(tableBytes(vectors)), bytes(pendingBytes(vectors))];
	space.reset();
	const sent: string[] = [];
	const messages = {
		send: (low: number, _high: number, data: number) => void sent.push(`${low.toString(16)} ${data.toString(16)}`),
		gsis: new GsiTable(new SharedArrayBuffer(GsiTable.byteLength), (_: readonly GsiRoute[]) => {}),
	};
	/** Done once: in the middle of the back's look at the table, or before a vector that it found masked is pending. */
	const meanwhile: {look?: (() => void) | undefined; pend?: (() => void) | undefined} = {};
	const now = (moment: keyof typeof meanwhile) => {
		const action = meanwhile[moment];
		meanwhile[moment] = undefined;
		action?.();
	};
	class Watched extends MsixTable {
		override addressHigh(vector: number): number {
			now('look');
			return super.addressHigh(vector);
		}

		override setPending(vector: number): void {
			now('pend');
			super.setPending(vector);
		}
	}
	const parts = {space, places, levels: bytes(vectors), pin: undefined, messages, sequence};
	const front = new FunctionInterrupts({...parts, table: new MsixTable(entries, pending, place)});
	const back = new FunctionInterrupts({...parts, table: new Watched(entries, pending, place)});
	const table = new MsixTable(entries, pending, place);
	table.reset();
	/** As a guest's write is served. */
	const change = (action: () => void) => {
		beginChange(sequence);
		action();
		endChange(sequence);
		front.settle();
	};
	const program = (low: number, data: number, isMasked: boolean) => {
		for (const [index, value] of [low, 0, data, isMasked ? 1 : 0].entries()) table.write(16 + 4 * index, 4, value);
	};
	const turn = (on: boolean) => space.write((places.msix as number) + Msix.CONTROL, 2, on ? MsixControl.ENABLE : 0);
	change(() => {
		space.write(Header.COMMAND, 2, Command.MASTER);
		turn(true);
	});
	return {
		back,
		sent,
		change,
		program,
		turn,
		isPending: () => table.isPending(1),
		meanwhile,
	};
}

for (const moment of ['look', 'pend'] as const) {
	test(`a vector that is unmasked while its back signals is sent once (${moment})`, (t) => {
		const {back, sent, change, program, isPending, meanwhile} = make();
		change(() => program(0xfee0_0000, 0x41, true));
		meanwhile[moment] = () => change(() => program(0xfee0_0000, 0x41, false));
		t.true(back.signal(1));
		t.deepEqual(sent, ['fee00000 41']);
		t.false(isPending());
	});
}

test('a vector that is masked while its back looks stays pending until it is unmasked', (t) => {
	const {back, sent, change, program, isPending, meanwhile} = make();
	change(() => program(0xfee0_0000, 0x41, false));
	meanwhile.look = () => change(() => program(0xfee0_0000, 0x41, true));
	t.true(back.signal(1));
	t.deepEqual(sent, []);
	t.true(isPending());
	change(() => program(0xfee0_0000, 0x41, false));
	t.deepEqual(sent, ['fee00000 41']);
	t.false(isPending());
});

test('no message is half of one entry and half of the next', (t) => {
	const {back, sent, change, program, meanwhile} = make();
	change(() => program(0xfee0_0000, 0x41, false));
	meanwhile.look = () => change(() => program(0xfee0_1000, 0x52, false));
	t.true(back.signal(1));
	t.deepEqual(sent, ['fee01000 52']);
});

test('a vector that is turned off, or does not exist, is nobody’s: a line is to be driven', (t) => {
	const {back, sent, change, turn, isPending} = make();
	for (const vector of [-1, 3, 0.5, Number.NaN]) t.false(back.signal(vector), String(vector));
	change(() => turn(false));
	t.false(back.signal(1));
	t.deepEqual([sent, isPending()], [[], false]);
});

for (const [moment, isMasked] of [
	['look', false],
	['pend', true],
] as const) {
	test(`vectors that are turned off while a back signals one are nobody’s either (${moment})`, (t) => {
		const {back, sent, change, program, turn, isPending, meanwhile} = make();
		change(() => program(0xfee0_0000, 0x41, isMasked));
		meanwhile[moment] = () => change(() => turn(false));
		t.false(back.signal(1));
		t.deepEqual([sent, isPending()], [[], false]);
	});
}

test('a masked vector that is signalled twice is pending once', (t) => {
	const {back, sent, change, program} = make();
	change(() => program(0xfee0_0000, 0x41, true));
	t.true(back.signal(1));
	t.true(back.signal(1));
	t.deepEqual(sent, []);
	change(() => program(0xfee0_0000, 0x41, false));
	t.deepEqual(sent, ['fee00000 41']);
});
