import {Worker} from 'node:worker_threads';
import test, {type ExecutionContext} from 'ava';
import type {DeviceCommand, DeviceModel, OwnedDevice, OwnedModel, OwnedServices} from '#devices/device';
import {tellingInterrupts} from '#devices/interrupts/testing';
import {completeModel} from '#devices/pci/function';
import {complexOf, PciTestMachine, probeOf, rootPortOf} from '#devices/pci/testing';
import {findDeviceModel} from '#devices/registry';
import {FakeReactor, oneThreadMachine} from '#devices/testing';
import {close, eventfd} from '#support/ffi';
import {inspectMailboxes, mailboxBytes, Waker} from '#support/mailbox';
import {EpollReactor} from '#support/reactor';
import {u8, wire} from '#support/wire';
import type {DeviceFailurePolicy} from './device-failure.ts';
import {DeviceBacks, type SavedDevices, withDevice, withoutDevice} from './index.ts';

const port = 0x500;
const version = 2;
const mostBytes = 64;

/** A map that a guest writes: a byte at its first port names an entry, one at its second is the entry. */
class Store implements OwnedDevice {
	readonly entries = new Map<number, number>();
	readonly told: string[] = [];
	#name = 0;
	readonly #services: OwnedServices;

	constructor(services: OwnedServices) {
		this.#services = services;
	}

	read(_region: number, offset: number): number {
		if (offset === 3) return this.#services.access.vp ?? 0xff;
		return offset === 1 ? (this.entries.get(this.#name) ?? 0) : this.#name;
	}

	write(_region: number, offset: number, _size: number, value: number): void {
		if (offset === 0) this.#name = value;
		if (offset === 1) this.entries.set(this.#name, value);
		if (offset === 2) this.#services.line('changed').setLevel(value !== 0);
	}

	reset(): void {
		this.told.push('reset');
		this.entries.clear();
	}

	save(): Uint8Array {
		return Buffer.from(JSON.stringify([...this.entries]));
	}

	restore(from: number, bytes: Uint8Array): void {
		this.told.push(`restore ${from}`);
		const saved: unknown = JSON.parse(Buffer.from(bytes).toString());
		if (!Array.isArray(saved)) throw new TypeError('these are no entries');
		for (const [name, value] of saved as [number, number][]) this.entries.set(name, value);
	}

	inspect(): object {
		return {entries: Object.fromEntries(this.entries)};
	}

	inputChanged(name: string, asserted: boolean): void {
		this.told.push(`${name} ${asserted ? 'up' : 'down'}`);
	}

	control({kind}: DeviceCommand): void {
		this.told.push(kind);
	}

	dispose(): void {
		this.told.push('dispose');
	}
}

/** A device of any thread that drives an input of the store's. */
const driver: DeviceModel<object, {value: typeof u8}> = {
	kind: 'driver',
	state: wire('driver', {value: u8}),
	attach: {regions: () => [{space: 'pio', name: 'pin', base: 0x510, length: 1}]},
	lines: () => ({pin: 9}),
	front: (_config, _state, services) => ({
		read: () => 7,
		write: (_region, _offset, _size, value) => services.line('pin').setLevel(value !== 0),
	}),
};

interface Choices {
	readonly changes?: Partial<OwnedDevice>;
	readonly policy?: DeviceFailurePolicy;
	/** Of a machine of the same devices, to go on from. */
	readonly saved?: SavedDevices;
}

/** A machine of a store, and of a device that drives its input. */
function make({changes = {}, policy = 'machine', saved}: Choices = {}) {
	const stores: Store[] = [];
	const lines: string[] = [];
	const told: string[] = [];
	const store = completeModel({
		kind: 'store',
		attach: {regions: () => [{space: 'pio', name: 'registers', base: port, length: 4}]},
		lines: () => ({changed: 5}),
		inputs: () => ({pin: 9}),
		owned: {
			version,
			mostBytes,
			make(_config: object, services: OwnedServices) {
				const made = Object.assign(new Store(services), changes);
				stores.push(made);
				return made;
			},
		},
	});
	const completed = completeModel(driver);
	const made = oneThreadMachine(
		['store', 'driver'].map((kind) => ({name: kind, kind, config: {}})),
		{
			findModel: (kind) => (kind === 'store' ? store : completed),
			interrupts: tellingInterrupts({setLine: (gsi, up) => void lines.push(`${gsi} ${up ? 'up' : 'down'}`)}),
			deviceFailure: policy,
		},
	);
	const reactor = new FakeReactor();
	const work = () => {
		const backs = new DeviceBacks(made.machine, reactor, ({message}) => void told.push(message), {stopLimitNs: 1e6});
		return {backs, owned: backs.owned, store: stores[0] as Store};
	};
	const owned = saved && made.machine.restore(JSON.parse(JSON.stringify(saved)) as SavedDevices);
	const set = (name: number, value: number) => {
		made.bus.writePort(port, 1, name);
		made.bus.writePort(port + 1, 1, value);
	};
	const failure = () => made.machine.devices[0]?.faults.message;
	return {...made, work, set, left: owned ?? [], lines, told, failure, reactor};
}

const filled = async () => {
	const tried = make();
	const {owned} = tried.work();
	tried.set(7, 70);
	tried.set(9, 90);
	return tried.machine.save(await owned.save());
};

test('accesses reach the device, whose map is on its own thread alone, and its lines reach the controller', async (t) => {
	const {machine, bus, work, set, lines} = make();
	const {store, owned} = work();
	set(7, 70);
	set(8, 80);
	bus.writePort(port, 1, 7);
	t.is(bus.readPort(port + 1, 1), 70);
	t.is(bus.readPort(port + 3, 1), 0, 'the first processor asks');
	t.deepEqual(
		[...store.entries],
		[
			[7, 70],
			[8, 80],
		],
	);
	t.deepEqual(await owned.inspect('store'), {entries: {7: 70, 8: 80}});
	t.deepEqual(machine.stateOf('store'), {});
	bus.writePort(port + 2, 1, 1);
	bus.writePort(port + 2, 1, 0);
	t.deepEqual(lines, ['5 up', '5 down']);
	owned.control('store', {kind: 'press'});
	t.deepEqual(store.told, ['press']);
	t.is(machine.devices[0]?.header.accesses, 9);
});

test('an input is told of by its level on the device’s own thread, again after a reset, and not after a restore', async (t) => {
	const {machine, bus, work} = make();
	const {backs, owned, store} = work();
	backs.start();
	bus.writePort(0x510, 1, 1);
	t.deepEqual(store.told, []);
	t.true(backs.poll());
	bus.writePort(0x510, 1, 0);
	bus.writePort(0x510, 1, 1);
	t.true(backs.poll());
	t.deepEqual(store.told, ['pin up'], 'what was over before is no change');
	owned.reset();
	t.deepEqual(store.told, ['pin up', 'reset', 'pin up']);
	bus.writePort(0x510, 1, 0);
	const saved = machine.save(await owned.save());
	t.is(store.told.at(-1), 'pin down', 'a saved device knows its inputs');
	bus.writePort(0x510, 1, 1);
	const later = machine.save(await owned.save());
	for (const [from, told] of [
		[saved, ['pin up']],
		[later, ['pin down']],
	] as const) {
		const restored = make({saved: from});
		const {backs: others, owned: its, store: other} = restored.work();
		await its.restore(restored.left);
		others.start();
		others.poll();
		t.deepEqual(other.told, [`restore ${version}`]);
		restored.bus.writePort(0x510, 1, from === saved ? 1 : 0);
		others.poll();
		t.deepEqual(other.told.slice(1), told);
	}
});

test('a saved map goes on in another machine, and in clones of it', async (t) => {
	const saved = await filled();
	t.like(saved.devices['store'], {
		kind: 'store',
		owned: {version, bytes: Buffer.from('[[7,70],[9,90]]').toString('base64')},
	});
	for (let clone = 0; clone < 2; clone++) {
		const {bus, work, left, set} = make({saved});
		const {owned, store} = work();
		await owned.restore(left);
		bus.writePort(port, 1, 9);
		t.is(bus.readPort(port + 1, 1), 90);
		set(clone, 1);
		t.is(store.entries.size, 3, 'what one sets the other has not');
	}
});

const owned = (value: unknown) => (saved: SavedDevices) => ({
	...saved,
	devices: {...saved.devices, store: {...saved.devices['store'], owned: value}},
});
const bytes = Buffer.from('[]').toString('base64');

for (const [what, change, code] of [
	['of a version to come', owned({version: version + 1, bytes}), 'STATE_VERSION_UNKNOWN'],
	['of no version', owned({version: 0, bytes}), 'STATE_VERSION_UNKNOWN'],
	['whose version is text', owned({version: '1', bytes}), 'STATE_FIELD_WRONG'],
	['without bytes', owned({version: 1}), 'STATE_FIELD_WRONG'],
	['that is longer than it can be', owned({version: 1, bytes: 'A'.repeat(88)}), 'STATE_FIELD_WRONG'],
	['that is too long to be looked at', owned({version: 1, bytes: 'A'.repeat(1e6)}), 'STATE_FIELD_WRONG'],
	['that is none', owned(undefined), 'STATE_FIELD_WRONG'],
	['that is null', owned(null), 'STATE_FIELD_WRONG'],
] as const) {
	test(`a state ${what} is refused by the device’s name before anything is restored`, async (t) => {
		const saved = await filled();
		const {machine} = make();
		Object.assign(machine.devices[1]?.state, {value: 5});
		t.throws(() => machine.restore(change(saved) as SavedDevices), {code, message: /store/});
		t.is(machine.devices[1]?.state.value, 5);
	});
}

test('a state for a device that any thread serves is refused', async (t) => {
	const saved = await filled();
	const {machine} = make();
	const driverState = {...saved.devices['driver'], owned: {version: 1, bytes}};
	t.throws(() => machine.restore({...saved, devices: {...saved.devices, driver: driverState}} as SavedDevices), {
		code: 'STATE_FIELD_WRONG',
		message: /driver/,
	});
});

/** Runs out the time of whatever waits. */
async function passTime(reactor: FakeReactor) {
	await new Promise(setImmediate);
	reactor.turn(2e6);
}

for (const [what, text, cause] of [
	['that are nothing', '', /Unexpected end/],
	['of another device', '{}', /these are no entries/],
	['of entries that are none', '[1]', /not iterable/],
] as const) {
	test(`bytes ${what} are the device’s to refuse, and the error names it`, async (t) => {
		const saved = owned({version: 1, bytes: Buffer.from(text).toString('base64')})(await filled()) as SavedDevices;
		const {left, work} = make({saved});
		const error = await t.throwsAsync(work().owned.restore(left), {code: 'DEVICE_STATE_REFUSED'});
		t.regex(error?.message ?? '', /^The device store refuses its saved state: /);
		t.regex(error?.message ?? '', cause);
	});
}

const throwing = (): never => {
	throw new Error('a bug');
};
const rejecting = () => Promise.reject(new Error('a bug')) as never;
const never = () => new Promise<never>(() => {});

type Tried = ReturnType<typeof make> & ReturnType<ReturnType<typeof make>['work']>;

/** Actions that make each callback be called that fails the device. */
const failing: Record<string, [Partial<OwnedDevice>, (tried: Tried) => unknown, when?: string]> = {
	read: [{read: throwing}, ({bus}) => bus.readPort(port, 1)],
	'read: a promise': [{read: rejecting}, ({bus}) => bus.readPort(port, 1), 'read'],
	'read: nothing': [{read: () => undefined as never}, ({bus}) => bus.readPort(port, 1), 'read'],
	write: [{write: throwing}, ({bus}) => bus.writePort(port, 1, 1)],
	'write: a promise': [{write: rejecting}, ({bus}) => bus.writePort(port, 1, 1), 'write'],
	reset: [{reset: throwing}, ({owned: devices}) => devices.reset()],
	inputChanged: [{inputChanged: throwing}, ({bus, backs}) => [bus.writePort(0x510, 1, 1), backs.poll()]],
	control: [{control: throwing}, ({owned: devices}) => devices.control('store', {kind: 'press'})],
	start: [{start: throwing}, () => {}],
	feed: [{feed: throwing}, ({backs}) => backs.back('store')?.feed(Uint8Array.of(1))],
	queueReady: [{queueReady: throwing}, ({backs}) => backs.back('store')?.queueReady(0)],
	stop: [{stop: rejecting}, ({backs}) => backs.stop()],
	dispose: [{dispose: throwing}, ({backs}) => backs.dispose()],
};

for (const [name, [changes, act, when = name]] of Object.entries(failing)) {
	for (const policy of ['machine', 'device'] as const) {
		test(`${name} fails its device, the policy being ${policy}`, async (t) => {
			const tried = make({changes, policy});
			const live = tried.work();
			live.backs.start();
			await act({...tried, ...live});
			await new Promise(setImmediate);
			t.regex(tried.failure() ?? '', new RegExp(`^The device store failed \\(${when}\\): `));
			t.deepEqual(tried.told, policy === 'machine' ? [tried.failure()] : []);
			t.is(tried.bus.readPort(port, 2), 0xffff);
			t.is(tried.bus.readPort(0x510, 1), 7, 'the other one goes on');
			if (name !== 'dispose')
				t.deepEqual(
					live.store.told.filter((word) => word === 'dispose'),
					['dispose'],
				);
			await t.throwsAsync(live.owned.save(), {code: 'DEVICE_NOT_SAVED', message: /store .*: it has failed$/});
			await t.throwsAsync(live.owned.inspect('store'), {code: 'DEVICE_NOT_INSPECTED'});
		});
	}
}

for (const [what, save, cause] of [
	['throws', throwing, 'a bug'],
	['rejects', rejecting, 'a bug'],
	['gives no bytes', () => 'bytes' as never, 'it gave no bytes'],
	['gives more than it declares', () => new Uint8Array(65), 'it has 65 bytes, and declares at most 64'],
	['never ends', never, 'it takes longer than 0.001 s'],
] as const) {
	test(`a save that ${what} is refused by the device’s name, and the machine goes on`, async (t) => {
		const {work, bus, failure, reactor} = make({changes: {save}});
		const {owned: devices} = work();
		const refused = t.throwsAsync(devices.save(), {
			code: 'DEVICE_NOT_SAVED',
			message: `The state of the device store cannot be saved: ${cause}`,
		});
		await passTime(reactor);
		await refused;
		t.is(bus.readPort(port, 1), 0);
		t.is(failure(), undefined);
	});
}

test('a save and a restore may take their time, and an inspection that fails is only told', async (t) => {
	const later = async () => {
		await new Promise(setImmediate);
		return Uint8Array.of(1);
	};
	const one = make({changes: {save: later, inspect: throwing}});
	const {owned: devices} = one.work();
	const states = await devices.save();
	t.deepEqual(states, [{name: 'store', version, bytes: Uint8Array.of(1)}]);
	await t.throwsAsync(devices.inspect('store'), {code: 'DEVICE_NOT_INSPECTED', message: /store .*: a bug$/});
	t.is(one.failure(), undefined);
	const two = make({changes: {restore: never}});
	const refused = t.throwsAsync(two.work().owned.restore(states), {
		code: 'DEVICE_STATE_REFUSED',
		message: /takes longer/,
	});
	await passTime(two.reactor);
	await refused;
});

for (const policy of ['machine', 'device'] as const) {
	test(`a device that never answers fails once the access has waited, the policy being ${policy}`, (t) => {
		const {bus, failure, mailbox, work} = make({policy});
		const message = 'The device store has not answered an access for 0.001 s';
		if (policy === 'machine') t.throws(() => bus.readPort(port, 1), {code: 'DEVICE_HANGS', message});
		else t.is(bus.readPort(port, 1), 0xff);
		t.is(failure(), message);
		t.is(bus.readPort(port, 4), 0xffff_ffff);
		t.like(inspectMailboxes(mailbox), [{state: 'posted', calls: 1, givenUp: 1}]);
		const {backs} = work();
		backs.poll();
		t.like(inspectMailboxes(mailbox), [{state: 'done', value: 0xffff_ffff}], 'nor is it called afterwards');
	});
}

/** Starts a thread that writes and reads one entry `turns` times, and tells how often it read what it had written. */
function processor(vp: number, set: object, turns: number): Promise<number> {
	const source = `
		const {workerData: {url, set, vp, turns}, parentPort} = require('node:worker_threads');
		import(url).then(({MailboxCaller}) => {
			const caller = new MailboxCaller(set, vp, {spins: 10, patienceMs: 60000});
			let right = 0;
			for (let turn = 0; turn < turns; turn++) {
				const entry = vp * 1000 + turn;
				caller.call(0, 0, entry, 4, true, entry * 3);
				if (caller.call(0, 0, entry, 4, false, 0) === entry * 3 + vp) right++;
			}
			parentPort.postMessage(right);
		});`;
	const workerData = {url: import.meta.resolve('#support/mailbox'), set, vp, turns};
	const worker = new Worker(source, {eval: true, workerData});
	return new Promise((resolve, reject) => void worker.once('message', resolve).once('error', reject));
}

test('two processors at once are served one after another, each as itself', async (t) => {
	const entries = new Map<number, number>();
	let reads = 0;
	const counting: OwnedModel<object> = {
		kind: 'store',
		attach: {regions: () => [{space: 'pio', name: 'registers', base: port, length: 4}]},
		owned: {
			version,
			mostBytes,
			make: (_config, {access}) => ({
				read(_region, offset) {
					reads++;
					return (entries.get(offset) ?? 0) + (access.vp ?? 0);
				},
				write: (_region, offset, _size, value) => void entries.set(offset, value),
				reset() {},
				save: () => new Uint8Array(),
				restore() {},
			}),
		},
	};
	const model = completeModel(counting);
	const findModel = () => model;
	const {layout} = oneThreadMachine([{name: 'store', kind: 'store', config: {}}], {findModel});
	const wakeFd = eventfd();
	const mailbox = {
		buffer: new SharedArrayBuffer(mailboxBytes(2)),
		callers: 2,
		waker: {...layout.mailbox.waker, wakeFd},
	};
	const waker = new Waker(mailbox.waker);
	const {machine} = oneThreadMachine([], {layout: {...layout, mailbox}, findModel});
	const reactor = new EpollReactor();
	const backs = new DeviceBacks(machine, reactor, ({message}) => t.fail(message));
	reactor.look({wakeFd, poll: () => backs.poll(), sleeping: (asleep) => waker.sleeping(asleep)});
	const turns = 200;
	const ends = Promise.all([0, 1].map((vp) => processor(vp, mailbox, turns)));
	const running = reactor.run();
	const poke = setInterval(() => {}, 1000);
	const look = () => void reactor.after(5e6, () => (reads === 2 * turns ? reactor.close() : look()));
	look();
	await running;
	clearInterval(poke);
	close(wakeFd);
	t.deepEqual(await ends, [turns, turns]);
});

/** A function whose registers the device worker has; its table lies in the BAR of these. */
function ownedFunction(t: ExecutionContext) {
	const told: string[] = [];
	const declared: OwnedModel<unknown, 'pci'> = {
		kind: 'pci-probe',
		attach: {
			pci: {
				vendor: 0x1414,
				device: 0xc0de,
				class: 0xff_0000,
				bars: [{index: 0, size: 0x1000}],
				interrupts: {vectors: ['first'], msix: {bar: 0, table: 0x800}},
			},
		},
		owned: {
			version,
			mostBytes,
			make(_config, services) {
				let held = 0;
				return {
					read: () => held,
					write(_region, offset, _size, value) {
						if (offset === 0) held = value;
						if (offset === 4) services.line('first').setLevel(value !== 0);
						if (offset === 8) services.pci.signal(0);
					},
					reset() {
						told.push('reset');
						held = 0;
					},
					start: () => void told.push('start'),
					stop: async () => void told.push('stop'),
					save: () => Uint8Array.of(held),
					restore(_from, [byte = 0]) {
						held = byte;
					},
					dispose: () => void told.push('dispose'),
				};
			},
		},
	};
	const model = completeModel(declared);
	const found = (kind: string) => (kind === model.kind ? model : undefined);
	return {model, told, found, fail: ({message}: Error) => t.fail(message)};
}

const [command, deviceControl, flr] = [4, 0x48, 0x8000];
const absent = 0xffff_ffff;

test('a function’s BARs are its own, and any thread serves its configuration space and the table of its vectors', async (t) => {
	const {model, told, fail} = ownedFunction(t);
	const devices = [complexOf(), rootPortOf('rp0', 0), probeOf('it', 'rp0')];
	const machine = new PciTestMachine(devices, undefined, model);
	const backs = new DeviceBacks(machine.machine, new FakeReactor(), fail);
	backs.start();
	const bar = machine.bar(1, 0) >>> 0;
	machine.setConfig(1, 0, command, 6, 2);
	machine.bus.writeMmio(bar, 4, 77);
	t.is(machine.bus.readMmio(bar, 4), 77);
	const {calls} = inspectMailboxes(machine.layout.mailbox)[0] as {calls: number};
	for (const [at, value] of [0xfee0_0000, 0, 33, 0].entries()) machine.bus.writeMmio(bar + 0x800 + 4 * at, 4, value);
	t.is(inspectMailboxes(machine.layout.mailbox)[0]?.calls, calls, 'the table is served at once');
	machine.bus.writeMmio(bar + 4, 4, 1);
	machine.bus.writeMmio(bar + 4, 4, 0);
	t.deepEqual(machine.lines, ['16 up', '16 down']);
	let cap = machine.config(1, 0, 0x34, 1);
	while (machine.config(1, 0, cap, 1) !== 0x11) cap = machine.config(1, 0, cap + 1, 1);
	machine.setConfig(1, 0, cap + 2, 0x8000, 2);
	machine.bus.writeMmio(bar + 8, 4, 1);
	t.deepEqual(machine.messages, ['fee00000 21']);

	const saved = machine.machine.save(await backs.owned.save());
	const other = new PciTestMachine(devices, undefined, model);
	const others = new DeviceBacks(other.machine, new FakeReactor(), fail);
	await others.owned.restore(other.machine.restore(JSON.parse(JSON.stringify(saved)) as SavedDevices));
	t.is(other.bus.readMmio(bar, 4), 77);

	told.length = 0;
	machine.setConfig(1, 0, deviceControl, flr, 2);
	t.is(machine.bus.readMmio(bar, 4), absent);
	backs.poll();
	await new Promise(setImmediate);
	t.deepEqual(told, ['stop', 'reset', 'start']);
	machine.setConfig(1, 0, 0x10, bar);
	machine.setConfig(1, 0, command, 6, 2);
	t.is(machine.bus.readMmio(bar, 4), 0);
});

test('an owned function comes to a machine that runs, and goes', async (t) => {
	const {model, told, found, fail} = ownedFunction(t);
	const machine = new PciTestMachine(undefined, undefined, model);
	const backs = new DeviceBacks(machine.machine, new FakeReactor(), fail);
	const findModel = (kind: string) => found(kind) ?? findDeviceModel(kind);
	machine.change(withDevice(machine.machine.layout, probeOf('new', 'rp0'), findModel, []));
	machine.machine.resetDevice(machine.machine.devices.at(-1) as (typeof machine.machine.devices)[number]);
	await backs.change();
	machine.machine.reset();
	const bar = machine.bar(1, 0) >>> 0;
	machine.setConfig(1, 0, command, 6, 2);
	machine.bus.writeMmio(bar, 4, 5);
	t.is(machine.bus.readMmio(bar, 4), 5);
	machine.change(withoutDevice(machine.machine.layout, 'rp0'));
	await backs.change();
	t.is(machine.bus.readMmio(bar, 4), absent);
	t.deepEqual(told, ['dispose']);
});

test('an owned device with registers of the processor is refused', (t) => {
	const model = completeModel({
		kind: 'synic',
		attach: {regions: () => [{space: 'msr', name: 'registers', base: 0x4000_0000, length: 2}]},
		owned: {version, mostBytes, make: () => t.fail() as never},
	});
	const devices = [{name: 'synic', kind: 'synic', config: {}}];
	t.throws(() => oneThreadMachine(devices, {findModel: () => model}), {code: 'DEVICE_OWNED_CLAIM'});
});
