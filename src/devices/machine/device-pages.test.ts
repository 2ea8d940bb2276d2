import test from 'ava';
import type {PagesBackEnd} from '#devices/bar-pages';
import type {DeviceInstance, DeviceModel} from '#devices/device';
import {IoVectors, type MappedMemory, type MappedRange} from '#devices/guest-memory';
import {completeModel} from '#devices/pci/function';
import {complexOf, PciTestMachine, rootPortOf, testComplex} from '#devices/pci/testing';
import {findDeviceModel} from '#devices/registry';
import {unchecked} from '#support/trust';
import {u32, wire} from '#support/wire';
import {withDevice, withoutDevice} from './index.ts';

const State = wire('framebuffer', {value: u32});
const [kept, volatile, command, fixed] = [0x10, 0x18, 4, 0xfe00_0000];
const [keptBytes, volatileBytes] = [0x10000, 0x20000];

/** Registers of the third BAR: what is at an offset of the first; throws; a copy from guest memory to offset 0 of the first. */
const [PEEK, THROW, FETCH] = [0, 4, 8];

const framebuffer: DeviceModel<unknown, typeof State.fields, 'pci'> = {
	kind: 'framebuffer',
	state: State,
	attach: {
		pci: {
			vendor: 0x1414,
			device: 0xfb,
			class: 0x03_8000,
			bars: [
				{index: 0, size: keptBytes, kind: 'prefetchable', pages: 'saved'},
				{index: 2, size: volatileBytes, kind: 'prefetchable', pages: 'unsaved'},
				{index: 4, size: 0x1000, kind: 'prefetchable'},
			],
		},
	},
	front: (_config, state, {pci, memory}) => ({
		read(region) {
			if (region !== 2) throw new TypeError('memory is not the front\u2019s to read');
			return state.value;
		},
		write(_region, offset, _size, value) {
			if (offset === PEEK) state.value = unchecked(pci.pages(0).readU32(value)) ?? 0xffff_ffff;
			if (offset === THROW) throw new TypeError('on purpose');
			if (offset === FETCH) pci.pages(0).writeU32(0, unchecked(memory.readU32(value)) ?? 0xdead_beef);
		},
	}),
};
const model = completeModel(framebuffer);

/** A back end that is strict about what it is asked for. */
class Mappings implements PagesBackEnd {
	readonly mapped = new Map<number, MappedRange>();
	calls = 0;
	isFull = false;
	/** Runs once, in the midst of the next change. */
	between: (() => void) | undefined;

	map(entry: number, range: MappedRange): boolean {
		this.calls++;
		const {between} = this;
		this.between = undefined;
		between?.();
		const end = (one: MappedRange) => one.gpa + one.length;
		const isThere = [...this.mapped.values()].some((other) => range.gpa < end(other) && other.gpa < end(range));
		if (isThere || this.mapped.has(entry)) throw new TypeError('there is something already');
		if (!this.isFull) this.mapped.set(entry, range);
		return !this.isFull;
	}

	unmap(entry: number): void {
		if (!this.mapped.delete(entry)) throw new TypeError('there is nothing');
	}

	get places(): number[] {
		return [...this.mapped.values()].map(({gpa}) => gpa).sort((a, b) => a - b);
	}

	/** A word as the guest has it without an exit. */
	at(gpa: number): DataView {
		const range = [...this.mapped.values()].find((one) => gpa >= one.gpa && gpa < one.gpa + one.length);
		if (range === undefined) throw new RangeError(`nothing is mapped at 0x${gpa.toString(16)}`);
		return new DataView(range.memory.buffer, range.offset + gpa - range.gpa, 4);
	}
}

const framebufferOf = (name: string, on: string): DeviceInstance => {
	return {name, kind: model.kind, config: {}, place: {on, devfn: 0}};
};
const devices = [complexOf(), rootPortOf('rp0', 0, {slot: 1}), rootPortOf('rp1', 1), framebufferOf('fb', 'rp1')];

function make(instances: readonly DeviceInstance[] = devices) {
	const mappings = new Mappings();
	const one = new PciTestMachine(instances, undefined, model, undefined, mappings);
	const place = (bar: number, bus = 2) =>
		one.config(bus, 0, bar + 4) * 2 ** 32 + ((one.config(bus, 0, bar) & ~0xf) >>> 0);
	const move = (bar: number, to: number, bus = 2) => {
		one.setConfig(bus, 0, bar, to % 2 ** 32);
		one.setConfig(bus, 0, bar + 4, Math.floor(to / 2 ** 32));
	};
	const memory = one.machine.devices[0]?.services.memory as MappedMemory;
	return {one, mappings, place, move, memory, registers: () => place(0x20)};
}

test('memory is mapped where its BAR is, and is the same to the guest, the bus, the device and the DMA of others', (t) => {
	const {one, mappings, place, memory, registers} = make();
	t.deepEqual(
		mappings.places,
		[place(kept), place(volatile)].sort((a, b) => a - b),
	);
	const [base, regs] = [place(kept), registers()];
	mappings.at(base + 0x2000).setUint32(0, 0x1234_5678, true);
	t.is(one.bus.readMmio(base + 0x2001, 2), 0x3456, 'by the bus');
	one.bus.writeMmio(regs + PEEK, 4, 0x2000);
	t.is(one.bus.readMmio(regs, 4), 0x1234_5678, 'by the device');
	t.is(unchecked(memory.readU32(base + 0x2000)), 0x1234_5678, 'by whoever has guest memory');
	one.setConfig(2, 0, command, 6, 2);
	one.bus.writeMmio(regs + FETCH, 4, base + 0x2000);
	t.is(mappings.at(base).getUint32(0, true), 0x1234_5678, 'by DMA of a function');
	one.bus.writeMmio(base + keptBytes - 4, 4, 77);
	t.is(mappings.at(base + keptBytes - 4).getUint32(0, true), 77);
	const vectors = new IoVectors(1);
	t.true(memory.pin(base + 0x2000, 16, 'write', vectors));
	t.is(vectors.hostAddress(0), (mappings.mapped.get(0)?.hostAddress ?? 0) + 0x2000);
	vectors.release();
	t.deepEqual(
		[base - 4, base + keptBytes - 4].map((at) => memory.contains(at, 8)),
		[true, false],
		'as far as there is some',
	);
	t.is(memory.mapped(base, 16), undefined, 'a window would not notice that it moves');
});

test('memory moves with its BAR, on every thread, and keeps what is in it', (t) => {
	const {one, mappings, place, move, memory} = make();
	const other = new PciTestMachine([], one.layout, model, undefined, mappings);
	const [old, steady] = [place(kept), place(volatile)];
	mappings.at(old).setUint32(0, 5, true);
	const to = old + 0x8_0000;
	other.setConfig(2, 0, kept, to % 2 ** 32);
	t.deepEqual(mappings.places, [steady, to]);
	t.is(mappings.at(to).getUint32(0, true), 5);
	t.is(unchecked(memory.readU32(to)), 5);
	t.is(memory.readU32(old), undefined);
	t.false(memory.writeU32(old, 1));
	t.is(one.bus.readMmio(old, 4), 0xffff_ffff);
	const before = mappings.calls;
	for (let time = 0; time < 10_000; time++) move(kept, old + 0x4_0000 + 0x10000 * (time % 8));
	t.is(mappings.mapped.size, 2);
	t.true(mappings.calls - before <= 20_000, 'once for each write');
	move(kept, to);
	t.deepEqual(mappings.places, [steady, to]);
});

test('memory is mapped while all of its BAR answers: with decoding on, beside RAM, and where no other is first', (t) => {
	const {one, mappings, place, move, registers, memory} = make();
	const [base, steady, regs] = [place(kept), place(volatile), registers()];
	mappings.at(base).setUint32(0, 5, true);
	one.setConfig(2, 0, command, 0, 2);
	t.deepEqual(mappings.places, []);
	t.is(memory.readU32(base), undefined);
	one.setConfig(2, 0, command, 2, 2);
	t.is(mappings.places.length, 2);
	one.setConfig(0, 8, command, 0, 2);
	t.deepEqual(mappings.places, [], 'the bridge above');
	one.setConfig(0, 8, command, 6, 2);
	for (const to of [0, 0x8000, fixed, testComplex.ecam.gpa, 2 ** 52]) {
		move(kept, to);
		t.deepEqual(mappings.places, [steady], `0x${to.toString(16)}`);
	}
	t.is(unchecked(memory.readU32(0x500)), 0x1234_5678, 'RAM is there');
	move(kept, steady);
	t.deepEqual(mappings.places, [steady]);
	t.is(mappings.at(steady).getUint32(0, true), 5, 'of two the first');
	t.is(one.bus.readMmio(steady + keptBytes, 4), 0, 'the second has the rest');
	t.is(memory.readU32(steady + keptBytes), undefined);
	move(kept, base);
	// A BAR of registers lies behind the memory's number, so that the memory is first.
	move(0x20, base);
	t.is(one.bus.readMmio(base, 4), 5);
	move(0x20, regs);
	t.deepEqual(
		mappings.places,
		[base, steady].sort((a, b) => a - b),
	);
});

test('while memory moves every device answers, and the devices\u2019 thread goes on: its own change is made by who is at it', (t) => {
	const {one, mappings, place, move, registers} = make();
	const shared = new PciTestMachine([], one.layout, model, undefined, mappings, true);
	const failing = shared.machine.devices.find(({placed}) => placed.name === 'fb');
	const [base, steady, regs] = [place(kept), place(volatile), registers()];
	let answered: unknown;
	mappings.between = () => {
		const locks = one.machine.devices.map(({header}) => header.lock);
		answered = [shared.bus.readMmio(regs, 4), new Set(locks)];
	};
	move(kept, base + 0x8_0000);
	t.deepEqual(answered, [0, new Set([0])]);
	t.deepEqual(mappings.places, [steady, base + 0x8_0000]);
	mappings.between = () => {
		t.throws(() => failing?.faults.met('deferred', new Error('a bug')), {code: 'DEVICE_FAILED'});
		t.is(mappings.mapped.size, 1, 'who is at it has put it nowhere yet');
	};
	move(kept, base);
	t.deepEqual(mappings.places, [], 'all of it has gone with the device');
});

test('a bridge that passes nothing on, and so resets what is behind it, has memory moved when it has let go of all', (t) => {
	const {one, mappings} = make();
	const held: number[] = [];
	mappings.unmap = (entry) => {
		held.push(...one.machine.devices.map(({header}) => header.lock));
		mappings.mapped.delete(entry);
	};
	one.setConfig(0, 8, 0x3e, 1 << 6, 2);
	t.deepEqual([mappings.places, [...new Set(held)]], [[], [0]]);
});

test('where a back end cannot map more, and where there is none, accesses come by the bus', (t) => {
	const {one, mappings, place, move} = make();
	mappings.isFull = true;
	const base = place(kept) + 0x8_0000;
	move(kept, base);
	t.is(mappings.mapped.size, 1);
	one.bus.writeMmio(base + 8, 4, 3);
	t.is(one.bus.readMmio(base + 8, 1), 3);
	mappings.isFull = false;
	one.setConfig(2, 0, command, 6, 2);
	t.is(mappings.at(base + 8).getUint32(0, true), 3, 'it is asked again');
});

test('a device that fails, is reset or leaves is mapped no more; one that comes has memory of its own', (t) => {
	const {one, mappings, place, registers} = make();
	const follow = (layout: typeof one.layout) => {
		const before = one.machine.devices;
		one.change(layout);
		for (const device of one.machine.devices) if (!before.includes(device)) one.machine.resetDevice(device);
	};
	const find = (kind: string) => (kind === model.kind ? model : findDeviceModel(kind));
	for (const value of [1, 2]) {
		follow(withDevice(one.machine.layout, framebufferOf('new', 'rp0'), find, []));
		one.machine.reset();
		t.is(mappings.mapped.size, 4);
		const base = place(kept, 1);
		t.is(mappings.at(base).getUint32(0, true), 0);
		mappings.at(base).setUint32(0, value, true);
		follow(withoutDevice(one.machine.layout, 'rp0'));
		t.is(mappings.mapped.size, 2);
	}
	const base = place(kept);
	mappings.at(base).setUint32(0, 9, true);
	one.setConfig(2, 0, 0x48, 0x8000, 2);
	t.deepEqual(mappings.places, [], 'a function that is reset decodes nothing');
	one.machine.reset();
	t.is(mappings.at(base).getUint32(0, true), 9, 'a reset leaves it to the device what is in it');
	t.throws(() => one.bus.writeMmio(registers() + THROW, 4, 0), {code: 'DEVICE_FAILED'});
	t.deepEqual(mappings.places, []);
});

test('a snapshot has the memory that is to be saved, where the guest has put it, and no other', (t) => {
	const {one, mappings, place, move} = make();
	move(kept, place(kept) + 0x8_0000);
	const [base, other] = [place(kept), place(volatile)];
	mappings.at(base + 0xfffc).setUint32(0, 0x1234_5678, true);
	mappings.at(other).setUint32(0, 5, true);
	const saved = JSON.parse(JSON.stringify(one.machine.save()));
	t.is(saved.devices.fb.pages[0].length, 1, 'pages of zeros are left out');
	const copy = make();
	copy.mappings.at(copy.place(kept)).setUint32(0, 9, true);
	copy.one.machine.restore(saved);
	t.deepEqual(
		copy.mappings.places,
		[base, other].sort((a, b) => a - b),
	);
	t.is(copy.mappings.at(base + 0xfffc).getUint32(0, true), 0x1234_5678);
	t.is(copy.mappings.at(base).getUint32(0, true), 0);
	t.is(copy.mappings.at(other).getUint32(0, true), 0);
	const [page] = saved.devices.fb.pages[0];
	for (const pages of [
		5,
		null,
		undefined,
		{},
		{0: 5},
		{0: [page], 1: []},
		{0: [5]},
		{0: [[0x1000, 7]]},
		...[-0x1000, 1, 0x10000, '0', Number.NaN].map((offset) => ({0: [[offset, page[1]]]})),
		{0: [[0, 'AAAA']]},
	]) {
		saved.devices.fb.pages = pages;
		t.throws(() => copy.one.machine.restore(saved), {code: 'STATE_FIELD_WRONG'}, JSON.stringify(pages));
	}
});

test('memory that no hardware could have, or that a snapshot could not take, is refused', (t) => {
	const declared = (bar: object, msix?: object) =>
		completeModel({
			...framebuffer,
			attach: {
				pci: {
					...framebuffer.attach.pci,
					bars: [{index: 0, size: 0x1000, kind: 'prefetchable', pages: 'unsaved', ...bar}],
					...(msix && {interrupts: {vectors: ['one'], msix: {bar: 0}}}),
				},
			},
		}).regions({});
	t.notThrows(() => declared({}));
	t.notThrows(() => declared({size: 2 ** 32}));
	for (const bar of [{kind: 'memory64'}, {kind: 'io', size: 256}, {size: 0x800}, {size: 2 ** 25, pages: 'saved'}])
		t.throws(() => declared(bar), {code: 'PCI_BAR_IMPOSSIBLE'}, JSON.stringify(bar));
	t.throws(() => declared({}, {}), {code: 'PCI_TABLE_OUTSIDE_BAR', message: /it is memory/});
	const many = Array.from({length: 33}, (_, index) => framebufferOf(`fb${index}`, `p${index}`));
	const ports = many.map((_, index) => rootPortOf(`p${index}`, index % 32, {}, index < 32 ? 'rc0' : 'rc1'));
	const second = {
		startBus: 128,
		endBus: 255,
		ecam: {gpa: 0x2_0000_0000, length: 2 ** 27},
		lowMmio: {gpa: 0xf000_0000, length: 2 ** 20},
	};
	const two = [
		complexOf({endBus: 127, ecam: {gpa: 0x1_4000_0000, length: 2 ** 27}}),
		complexOf({...second, highMmio: {gpa: 0x50_0000_0000, length: 2 ** 30}, ports: {base: 0, length: 0}}, 'rc1'),
	];
	t.throws(() => make([...two, ...ports, ...many]), {code: 'DEVICE_PAGES_TOO_MANY'});
});
