import test from 'ava';
import type {DeviceBack, DeviceModel} from '#devices/device';
import {tellingInterrupts} from '#devices/interrupts/testing';
import {completeModel} from '#devices/pci/function';
import {FakeReactor, oneThreadMachine} from '#devices/testing';
import {u8, wire} from '#support/wire';
import {DeviceBacks} from './index.ts';

const State = wire('caller', {written: u8});

/** A device that calls for its back at every write, what the back is told, and what has failed. */
function machineOf(
	changes: {readonly back?: Partial<DeviceBack>; readonly setLine?: (gsi: number, up: boolean) => void} = {},
) {
	const told: string[] = [];
	const failures: string[] = [];
	const reactor = new FakeReactor();
	const handlers: ((what: string) => void)[] = [];
	const model: DeviceModel<object, typeof State.fields> = {
		kind: 'caller',
		state: State,
		attach: {regions: () => [{space: 'pio', name: 'port', base: 0x500, length: 1}]},
		lines: () => ({line: 5}),
		front: (_config, _state, services) => ({
			read: () => 0,
			write(_region, _offset, _size, value) {
				if (value === 2) services.line('line').setLevel(true);
				else services.notifyBack();
			},
		}),
		back: (_config, _state, services) => {
			handlers.push((what) => {
				const fail = () => {
					throw new Error(`${what} went wrong`);
				};
				if (what === 'ready') services.reactor.watch(5, {readable: true, writable: false}, fail);
				if (what === 'timer') services.reactor.after(0, fail);
				if (what === 'deferred') services.reactor.defer(fail);
			});
			return {
				start: () => void told.push('start'),
				stop: async () => void told.push('stop'),
				notified: () => void told.push('notified'),
				dispose: () => void told.push('dispose'),
				...changes.back,
			};
		},
	};
	const device = {name: 'caller', kind: 'caller', config: {}} as const;
	const {setLine = () => {}} = changes;
	const {machine, bus} = oneThreadMachine([device], {
		findModel: () => completeModel(model),
		interrupts: tellingInterrupts({setLine}),
	});
	const backs = new DeviceBacks(machine, reactor, ({code, message}) => failures.push(`${code}: ${message}`));
	const arm = (what: string) => handlers[0]?.(what);
	return {told, failures, backs, reactor, arm, bus, write: () => bus.writePort(0x500, 1, 1)};
}

test('a back is told once of what came before it started, and of all that comes until it has stopped', async (t) => {
	const {told, backs, write} = machineOf();
	write();
	write();
	t.false(backs.poll());
	backs.start();
	t.true(backs.poll());
	t.false(backs.poll());
	write();
	const stopped = backs.stop();
	t.true(backs.poll(), 'output that is under way is still passed on');
	await stopped;
	write();
	t.false(backs.poll());
	backs.start();
	t.true(backs.poll());
	t.deepEqual(told, ['start', 'notified', 'stop', 'notified', 'start', 'notified']);
});

const throwing = () => {
	throw new Error('no space left on device');
};

for (const when of ['start', 'notified', 'stop', 'dispose'] as const) {
	test(`a back that throws in ${when} fails its device by name, and is not called again`, async (t) => {
		const {told, failures, backs, write} = machineOf({back: {[when]: throwing}});
		backs.start();
		write();
		backs.poll();
		await backs.stop();
		backs.start();
		backs.dispose();
		t.deepEqual(failures, [`DEVICE_FAILED: The device caller failed (${when}): no space left on device`]);
		const before = {start: [], notified: ['start'], stop: ['start', 'notified'], dispose: undefined}[when];
		if (before !== undefined) t.deepEqual(told, [...before, 'dispose']);
	});
}

test('a stop that rejects is a failure too', async (t) => {
	const {failures, backs} = machineOf({back: {stop: () => Promise.reject(new Error('too late'))}});
	backs.start();
	await backs.stop();
	t.deepEqual(failures, ['DEVICE_FAILED: The device caller failed (stop): too late']);
});

for (const what of ['ready', 'timer', 'deferred'] as const) {
	test(`a handler that throws (${what}) fails its device and leaves no readiness behind`, (t) => {
		const {failures, backs, reactor, arm} = machineOf();
		backs.start();
		arm('ready');
		arm(what);
		reactor.turn();
		t.is(failures.length, 1);
		t.is(reactor.watches.size, 0);
		reactor.turn();
		t.is(failures.length, 1);
	});
}

test('a back that goes takes its timers along: the thread may go on', (t) => {
	const {backs, reactor, arm} = machineOf();
	backs.start();
	arm('timer');
	t.is(reactor.timers.size, 1);
	backs.dispose();
	t.is(reactor.timers.size, 0);
});

test('a back that cannot be made leaves none of those before it behind', (t) => {
	const disposed: string[] = [];
	const model: DeviceModel<{name: string}, typeof State.fields> = {
		kind: 'picky',
		state: State,
		attach: {regions: () => []},
		front: () => ({read: () => 0, write: () => {}}),
		back: ({name}) => {
			if (name === 'third') throw new Error('the port is taken');
			return {start() {}, stop: async () => {}, notified() {}, dispose: () => void disposed.push(name)};
		},
	};
	const devices = ['first', 'second', 'third'].map((name) => ({name, kind: 'picky', config: {name}}) as const);
	const {machine} = oneThreadMachine(devices, {findModel: () => completeModel(model)});
	t.throws(() => new DeviceBacks(machine, new FakeReactor(), () => t.fail()), {message: 'the port is taken'});
	t.deepEqual(disposed, ['first', 'second']);
});

test('a line that cannot be lowered does not hide why its device failed, and nothing leaves the thread', (t) => {
	const setLine = (_gsi: number, up: boolean) => {
		if (!up) throw new Error('the controller hangs');
	};
	const {backs, failures, arm, reactor, bus} = machineOf({setLine});
	backs.start();
	bus.writePort(0x500, 1, 2);
	arm('deferred');
	t.notThrows(() => reactor.turn());
	t.deepEqual(failures, ['DEVICE_FAILED: The device caller failed (deferred): deferred went wrong']);
});

test('what a back cannot open is told as it is, and no device has failed', async (t) => {
	const {backs, failures} = machineOf({back: {open: () => Promise.reject(new RangeError('no such file'))}});
	await t.throwsAsync(backs.open(), {instanceOf: RangeError, message: 'no such file'});
	await backs.dispose();
	t.deepEqual(failures, []);
});

test('a back that does not open is named after a while, with what it is at, and one that is disposed of keeps nobody', async (t) => {
	const never = new Promise<void>(() => {});
	const hanging = {open: () => never, inFlight: () => 'opening /mnt/log'};
	const {backs, reactor} = machineOf({back: hanging});
	const opened = backs.open();
	reactor.turn(24e9);
	reactor.turn(1e9);
	const message = 'These devices do not get what they need of the host: caller (opening /mnt/log)';
	await t.throwsAsync(opened, {code: 'DEVICE_OPEN_TIMEOUT', message});
	const {backs: others, reactor: other} = machineOf({back: hanging});
	const waiting = others.open();
	await others.dispose();
	await waiting;
	t.is(other.timers.size, 0);
});

test('a back is opened once, before it is started', async (t) => {
	const told: string[] = [];
	const {backs} = machineOf({
		back: {
			open: async () => void told.push('open'),
			start: () => void told.push('start'),
		},
	});
	await backs.open();
	backs.start();
	await backs.open();
	t.deepEqual(told, ['open', 'start']);
});

test('the end waits for what a back releases, and names it when that takes too long', async (t) => {
	const gate = Promise.withResolvers<void>();
	const closing = {dispose: () => gate.promise, inFlight: () => 'closing /mnt/log'};
	const {backs} = machineOf({back: closing});
	let isOver = false;
	const over = backs.dispose().then(() => {
		isOver = true;
	});
	await Promise.resolve();
	t.false(isOver);
	gate.resolve();
	await over;
	const {backs: late, reactor} = machineOf({back: {...closing, dispose: () => new Promise<void>(() => {})}});
	const ending = late.dispose();
	reactor.turn(5e9);
	await t.throwsAsync(ending, {code: 'DEVICE_STOP_TIMEOUT', message: /caller \(closing \/mnt\/log\)$/});
});
