import test, {type ExecutionContext} from 'ava';
import type {DeviceBack, DeviceInstance, DeviceModel, DoorbellDeclaration} from '#devices/device';
import type {BackEndDoorbell, DoorbellBackEnd} from '#devices/doorbells';
import {completeModel} from '#devices/pci/function';
import {complexOf, PciTestMachine, rootPortOf} from '#devices/pci/testing';
import {FakeReactor, oneThreadMachine} from '#devices/testing';
import {signalEventfd} from '#support/ffi';
import {array, type FieldsView, i32, u32, wire} from '#support/wire';
import {type AttachedDevice, DeviceBacks, withDevice, withoutDevice} from './index.ts';

const State = wire('queued', {written: u32, tails: array(u32, 2), heads: array(i32, 2)});
const command = 4;

/** Events, in order. */
type Told = string[];

const declared = {
	kind: 'queued',
	state: State,
	front: (_config: unknown, state: FieldsView<typeof State.fields>) => ({
		read: () => state.written,
		write: (_region: number, _offset: number, _size: number, value: number) => {
			state.written = value;
		},
	}),
};

/** @param more - queues that have more to do after they were told, and how often */
function backOf(told: Told, more: Record<number, number> = {}): () => DeviceBack {
	return () => ({
		start: () => void told.push('start'),
		stop: async () => void told.push('stop'),
		notified: () => void told.push('notified'),
		queueReady: (queue) => {
			told.push(`queue ${queue}`);
			more[queue] = (more[queue] ?? 0) - 1;
			return more[queue] >= 0;
		},
		dispose: () => void told.push('dispose'),
	});
}

const portBells: readonly DoorbellDeclaration[] = [
	{region: 0, offset: 0, size: 2, match: 0, queue: 0},
	{region: 0, offset: 0, size: 2, match: 1, queue: 1},
	{region: 0, offset: 4, size: 'any', queue: 2},
];

function portMachine(bells: readonly DoorbellDeclaration[] = portBells, more?: Record<number, number>) {
	const told: Told = [];
	const model: DeviceModel<unknown, typeof State.fields> = {
		...declared,
		attach: {regions: () => [{space: 'pio', name: 'ports', base: 0x500, length: 8}]},
		doorbells: () => bells,
		back: backOf(told, more),
	};
	const device = {name: 'nic', kind: model.kind, config: {}} as const;
	const made = oneThreadMachine([device], {findModel: () => completeModel(model)});
	const backs = new DeviceBacks(made.machine, new FakeReactor(), (error) => told.push(error.code));
	return {...made, backs, told, taken: () => told.splice(0)};
}

test('a doorbell calls its queue, past the front; other writes of the place are the front\u2019s', (t) => {
	const {bus, backs, taken} = portMachine();
	backs.start();
	backs.poll();
	t.deepEqual(taken(), ['start', 'queue 0', 'queue 1', 'queue 2'], 'what was there before anybody listened');
	bus.writePort(0x500, 2, 1);
	bus.writePort(0x500, 2, 1);
	for (const size of [1, 2, 4] as const) bus.writePort(0x504, size, size);
	t.true(backs.poll());
	t.false(backs.poll());
	t.deepEqual(taken(), ['queue 1', 'queue 2']);
	t.is(bus.readPort(0x500, 4), 0, 'the front saw none of them');
	bus.writePort(0x500, 2, 2);
	t.is(bus.readPort(0x500, 4), 2);
	bus.writePort(0x500, 4, 1);
	t.is(bus.readPort(0x500, 4), 1);
	t.false(backs.poll());
});

test('a queue that has more to do is told again, after the others', (t) => {
	const more: Record<number, number> = {};
	const {bus, backs, taken} = portMachine(portBells, more);
	backs.start();
	backs.poll();
	taken();
	more[0] = 1;
	bus.writePort(0x500, 2, 0);
	bus.writePort(0x500, 2, 1);
	t.true(backs.poll());
	t.true(backs.poll());
	t.false(backs.poll());
	t.deepEqual(taken(), ['queue 0', 'queue 1', 'queue 0']);
});

test('queues that are not come to while it is the machine\u2019s turn are the next to be told', (t) => {
	const more = {0: 9, 1: 9, 2: 9};
	const {backs, taken} = portMachine(portBells, more);
	backs.start();
	for (let turn = 0; turn < 5; turn++) t.true(backs.poll(() => true));
	t.deepEqual(taken(), ['start', 'queue 0', 'queue 1', 'queue 2', 'queue 0', 'queue 1']);
});

test('queues are told nothing while their back stops, and all once it has started again', async (t) => {
	const {bus, backs, taken} = portMachine();
	backs.start();
	backs.poll();
	taken();
	const stopped = backs.stop();
	bus.writePort(0x500, 2, 0);
	backs.poll();
	await stopped;
	bus.writePort(0x500, 2, 1);
	t.false(backs.poll());
	t.deepEqual(taken(), ['stop']);
	backs.start();
	backs.poll();
	t.deepEqual(taken(), ['start', 'queue 0', 'queue 1', 'queue 2']);
});

test('doorbells that cannot be are refused when the machine is laid out', (t) => {
	t.throws(() => portMachine([{region: 0, offset: 8, size: 1, queue: 0}]), {code: 'DEVICE_DOORBELL_IMPOSSIBLE'});
	const model: DeviceModel<unknown, typeof State.fields> = {
		...declared,
		attach: {regions: () => [{space: 'pio', name: 'ports', base: 0x500, length: 8}]},
		doorbells: () => portBells,
	};
	const device = (name: string): DeviceInstance => ({name, kind: model.kind, config: {}});
	const layOut = (found: typeof model, ...names: string[]) =>
		oneThreadMachine(names.map(device), {findModel: () => completeModel(found)});
	t.throws(() => layOut(model, 'one'), {code: 'DEVICE_DOORBELL_WITHOUT_BACK'});
	const withBack = {...model, back: backOf([])};
	t.throws(() => layOut(withBack, 'one', 'two'), {code: 'BUS_REGION_OVERLAP', message: /one\.ports.*two\.ports/});
	const greedy = {
		...withBack,
		attach: {
			regions: ({base}: {base?: number}) => [{space: 'mmio', name: 'bells', base: base ?? 0, length: 4096} as const],
		},
		doorbells: () =>
			Array.from({length: 1024}, (_, queue) => ({region: 0, offset: 4 * queue, size: 4, queue}) as const),
	};
	const many = [0, 1].map((index) => ({...device(`d${index}`), config: {base: 4096 * index}}));
	t.throws(() => oneThreadMachine(many, {findModel: () => completeModel(greedy as never)}), {
		code: 'DEVICE_QUEUES_TOO_MANY',
	});
});

const tailBells: readonly DoorbellDeclaration[] = [
	{region: 0, offset: 0, size: 4, queue: 0, stores: {field: 'tails', index: 1}},
	{region: 0, offset: 4, size: 'any', queue: 1, stores: {field: 'heads', index: 0}},
];

test('a doorbell that carries a value has stored it when its queue is told, past front and lock', (t) => {
	const {bus, backs, taken, machine} = portMachine(tailBells);
	const {state, header} = machine.devices[0] as AttachedDevice;
	backs.start();
	backs.poll();
	taken();
	const accesses = header.accesses;
	bus.writePort(0x500, 4, 7);
	bus.writePort(0x500, 4, 0xffff_fffe);
	bus.writePort(0x504, 2, 0x8000);
	t.deepEqual(
		[[...state.tails], [...state.heads]],
		[
			[0, 0xffff_fffe],
			[0x8000, 0],
		],
		'the last of each',
	);
	backs.poll();
	t.deepEqual(taken(), ['queue 0', 'queue 1']);
	t.deepEqual([header.accesses, state.written], [accesses, 0], 'nobody took the lock');
	bus.writePort(0x500, 2, 9);
	t.deepEqual([state.written, state.tails[1]], [9, 0xffff_fffe], 'another width is the front\u2019s');
});

test('what doorbells have stored is saved, restored and reset with the device', (t) => {
	const [one, two] = [portMachine(tailBells), portMachine(tailBells)];
	one.bus.writePort(0x500, 4, 0x8000_0001);
	one.bus.writePort(0x504, 4, 5);
	two.machine.restore(JSON.parse(JSON.stringify(one.machine.save())));
	t.like(two.machine.stateOf('nic'), {tails: [0, 0x8000_0001], heads: [5, 0]});
	two.backs.start();
	two.backs.poll();
	t.deepEqual(two.taken(), ['start', 'queue 0', 'queue 1'], 'and the queues look at it');
	two.machine.reset();
	t.like(two.machine.stateOf('nic'), {tails: [0, 0], heads: [0, 0]});
});

/** A back end that says what it rings, at most `most` doorbells. */
class TellingBackEnd implements DoorbellBackEnd {
	readonly rung = new Map<string, number>();
	/** Runs once, in the midst of the next change. */
	between: (() => void) | undefined;
	readonly #most: number;

	constructor(most = Number.POSITIVE_INFINITY) {
		this.#most = most;
	}

	assign(doorbell: BackEndDoorbell): boolean {
		const key = keyOf(doorbell);
		const {between} = this;
		this.between = undefined;
		between?.();
		if (this.rung.has(key) || this.rung.size === this.#most) return false;
		this.rung.set(key, doorbell.fd);
		return true;
	}

	unassign(doorbell: BackEndDoorbell): void {
		if (this.rung.get(keyOf(doorbell)) !== doorbell.fd) throw new Error(`${keyOf(doorbell)} is not assigned`);
		this.rung.delete(keyOf(doorbell));
	}
}

const keyOf = ({space, address, size, match}: BackEndDoorbell) =>
	`${space} ${address.toString(16)} ${size}${match === undefined ? '' : ` ${match}`}`;

const slots: readonly DeviceInstance[] = [
	complexOf(),
	rootPortOf('rp0', 0, {slot: 1}),
	rootPortOf('rp1', 1, {slot: 2}),
];
const queuedAt = (name: string, on: string): DeviceInstance => ({
	name,
	kind: 'queued',
	config: {},
	place: {on, devfn: 0},
});

/** A function whose BAR has two doorbells, in a machine whose back end can ring some. */
function pciMachine(
	t: ExecutionContext,
	backEnd = new TellingBackEnd(),
	functions = [queuedAt('nic', 'rp0')],
	more: readonly DoorbellDeclaration[] = [],
) {
	const told: Told = [];
	const declaration: DeviceModel<unknown, typeof State.fields, 'pci'> = {
		...declared,
		attach: {pci: {vendor: 0x1414, device: 1, class: 0x02_0000, bars: [{index: 0, size: 0x1000}]}},
		doorbells: () => [
			{region: 0, offset: 0x800, size: 4, queue: 0},
			{region: 0, offset: 0x804, size: 2, match: 3, queue: 1},
			...more,
		],
		back: backOf(told),
	};
	const model = completeModel(declaration);
	const guest = new PciTestMachine([...slots, ...functions], undefined, model, backEnd);
	const reactor = new FakeReactor();
	const backs = new DeviceBacks(guest.machine, reactor, (error) => t.fail(error.message));
	t.teardown(() => backs.dispose());
	const enable = (bus: number, on = true) => guest.setConfig(bus, 0, command, on ? 6 : 4, 2);
	return {
		guest,
		model,
		backEnd,
		backs,
		reactor,
		enable,
		taken: () => told.splice(0),
		rung: () => [...backEnd.rung.keys()],
	};
}

const at = (base: number) => [`mmio ${(base + 0x800).toString(16)} 4`, `mmio ${(base + 0x804).toString(16)} 2 3`];

test('the back end rings doorbells where the BAR is, and nowhere while it is off', (t) => {
	const {guest, enable, rung} = pciMachine(t);
	enable(1);
	const base = guest.bar(1, 0) >>> 0;
	t.deepEqual(rung(), at(base));
	guest.setConfig(1, 0, 0x10, base + 0x2000);
	t.deepEqual(rung(), at(base + 0x2000));
	enable(1, false);
	t.deepEqual(rung(), []);
	enable(1);
	t.deepEqual(rung(), at(base + 0x2000));
	guest.setConfig(0, 0, command, 0, 2);
	t.deepEqual(rung(), [], 'the port passes nothing on');
});

test('a doorbell that the back end rings reaches the queue, and so does one that it does not take', (t) => {
	const backEnd = new TellingBackEnd(1);
	const {guest, backs, reactor, enable, taken, rung} = pciMachine(t, backEnd);
	enable(1);
	const base = guest.bar(1, 0) >>> 0;
	t.deepEqual(rung(), at(base).slice(0, 1));
	backs.start();
	backs.poll();
	taken();
	const signalled = backEnd.rung.get(at(base)[0] as string) as number;
	signalEventfd(signalled);
	const watch = [...reactor.watches].find(({fd}) => fd === signalled);
	watch?.ready({readable: true, writable: false, failed: false});
	backs.poll();
	t.deepEqual(taken(), ['queue 0']);
	guest.bus.writeMmio(base + 0x804, 2, 3);
	backs.poll();
	t.deepEqual(taken(), ['queue 1']);
	guest.bus.writeMmio(base + 0x800, 4, 9);
	backs.poll();
	t.deepEqual(taken(), ['queue 0'], 'a write that comes by the bus all the same');
});

test('a doorbell that carries a value is the bus\u2019s, whatever the back end can', (t) => {
	const bell = {region: 0, offset: 0x808, size: 4, queue: 2, stores: {field: 'tails', index: 0}} as const;
	const {guest, backs, enable, taken, rung} = pciMachine(t, undefined, undefined, [bell]);
	enable(1);
	backs.start();
	backs.poll();
	taken();
	const base = guest.bar(1, 0) >>> 0;
	t.deepEqual(rung(), at(base));
	guest.bus.writeMmio(base + 0x808, 4, 12);
	backs.poll();
	t.deepEqual(taken(), ['queue 2']);
	t.like(guest.machine.stateOf('nic'), {tails: [12, 0]});
});

test('of two functions at one address only the one that answers has its doorbells', (t) => {
	const {guest, backEnd, enable, rung, taken, backs} = pciMachine(t, undefined, [
		queuedAt('one', 'rp0'),
		queuedAt('two', 'rp1'),
	]);
	enable(1);
	enable(2);
	const [one, two] = [guest.bar(1, 0) >>> 0, guest.bar(2, 0) >>> 0];
	t.deepEqual(rung().sort(), [...at(one), ...at(two)].sort());
	// The second port's window is opened over the first function, whose BAR comes first.
	guest.setConfig(0, 8, 0x20, guest.config(0, 0, 0x20));
	guest.setConfig(2, 0, 0x10, one);
	t.deepEqual(rung(), at(one));
	backs.start();
	backs.poll();
	taken();
	guest.bus.writeMmio(one + 0x800, 4, 1);
	backs.poll();
	t.deepEqual(taken(), ['queue 0']);
	const descriptor = backEnd.rung.get(at(one)[0] as string);
	enable(1, false);
	t.deepEqual(rung(), at(one), 'now the other answers there');
	t.not(backEnd.rung.get(at(one)[0] as string), descriptor);
});

test('devices that come have doorbells, and those that go leave none', async (t) => {
	const {guest, model, backs, enable, rung} = pciMachine(t);
	enable(1);
	const base = guest.bar(1, 0) >>> 0;
	const findModel = (kind: string) =>
		(kind === model.kind ? model : undefined) ?? guest.machine.devices.find(({placed}) => placed.kind === kind)?.model;
	const both = withDevice(guest.machine.layout, queuedAt('late', 'rp1'), findModel, []);
	guest.change(both);
	await backs.change();
	t.deepEqual(rung(), at(base), 'the guest has given the new one no address yet');
	const alone = withoutDevice(both, 'rp0');
	guest.change(alone);
	await backs.change();
	t.deepEqual(rung(), []);
	const again = withDevice(alone, queuedAt('nic', 'rp0'), findModel, []);
	t.deepEqual(
		again.devices.find(({name}) => name === 'nic')?.calls,
		both.devices.find(({name}) => name === 'nic')?.calls,
		'the places that were left',
	);
});

test('a worker that ends takes its doorbells back, and nobody looks for them any more', (t) => {
	const {guest, backs, reactor, enable, rung} = pciMachine(t);
	enable(1);
	t.is(rung().length, 2);
	backs.dispose();
	t.deepEqual([rung(), reactor.watches.size], [[], 0]);
	const pci = guest.machine.pci as NonNullable<typeof guest.machine.pci>;
	pci.locate = () => t.fail() as never;
	enable(1, false);
});

test('each worker has the descriptors of its own queues, and takes only those back when it ends', (t) => {
	const told: Told = [];
	const backEnd = new TellingBackEnd();
	const model: DeviceModel<unknown, typeof State.fields> = {
		...declared,
		attach: {regions: () => [{space: 'pio', name: 'ports', base: 0x500, length: 8}]},
		doorbells: () => portBells,
		workers: () => 2,
		back: (_config, _state, {worker: {index}}) => ({
			...backOf(told)(),
			queueReady: (queue) => void told.push(`worker ${index} queue ${queue}`),
		}),
	};
	const parts = {findModel: () => completeModel(model), doorbells: backEnd, workers: 2};
	const {machine} = oneThreadMachine([{name: 'nic', kind: model.kind, config: {}}], parts);
	const reactors = [new FakeReactor(), new FakeReactor()];
	const workers = reactors.map((reactor, worker) => new DeviceBacks(machine, reactor, () => t.fail(), {worker}));
	t.deepEqual(
		reactors.map(({watches}) => watches.size),
		[2, 1],
	);
	for (const backs of workers) backs.start();
	for (const backs of workers) backs.poll();
	told.length = 0;
	t.deepEqual([...backEnd.rung.keys()].sort(), ['pio 500 2 0', 'pio 500 2 1', 'pio 504 any']);
	const signalled = backEnd.rung.get('pio 500 2 1') as number;
	signalEventfd(signalled);
	const watch = [...(reactors[1]?.watches ?? [])].find(({fd}) => fd === signalled);
	watch?.ready({readable: true, writable: false, failed: false});
	t.deepEqual(
		workers.map((backs) => backs.poll()),
		[false, true],
	);
	t.deepEqual(told, ['worker 1 queue 1']);
	workers[1]?.dispose();
	t.deepEqual([...backEnd.rung.keys()].sort(), ['pio 500 2 0', 'pio 504 any']);
	workers[0]?.dispose();
	t.is(backEnd.rung.size, 0);
});

test('a worker that ends while a processor moves its doorbells keeps their descriptors until they are nobody\u2019s', async (t) => {
	const {guest, model, backEnd, backs, reactor, enable, rung} = pciMachine(t);
	enable(1);
	const processor = new PciTestMachine([], guest.layout, model, backEnd);
	const shared = new PciTestMachine([], guest.layout, model, backEnd, undefined, true);
	backs.dispose();
	const worker = new DeviceBacks(shared.machine, reactor, (error) => t.fail(error.message));
	t.is(rung().length, 2);
	const fds = [...reactor.watches].map(({fd}) => fd);
	let open: boolean[] = [];
	let ended: Promise<void> | undefined;
	backEnd.between = () => {
		ended = worker.dispose();
		open = fds.map((fd) => signalEventfd(fd) === 8);
	};
	processor.setConfig(1, 0, 0x10, (guest.bar(1, 0) >>> 0) + 0x2000);
	t.deepEqual([rung(), open, reactor.watches.size], [[], [true, true], 2]);
	reactor.turn(50e6);
	await ended;
	t.deepEqual([reactor.watches.size, reactor.timers.size], [0, 0]);
	t.true(fds.every((fd) => signalEventfd(fd) < 0));
});
