import test from 'ava';
import type {DeviceBack, DeviceFront, DeviceModel} from '#devices/device';
import {completeModel} from '#devices/pci/function';
import {FakeReactor, oneThreadMachine} from '#devices/testing';
import type {Reactor} from '#support/reactor';
import {u8, wire} from '#support/wire';
import type {DeviceFailurePolicy} from './device-failure.ts';
import {DeviceBacks} from './index.ts';

const State = wire('failing', {value: u8});
const throwing = (): never => {
	throw new Error('a bug');
};
const rejecting = () => Promise.reject(new Error('late')) as never;
const never = () => new Promise<never>(() => {});

interface Changes {
	readonly front?: Partial<DeviceFront>;
	readonly back?: Partial<DeviceBack>;
	readonly began?: (reactor: Reactor) => void;
}

const ports = {failing: 0x500, sound: 0x510};

/** A machine of a device that fails and one that does not. */
function machineOf(policy: DeviceFailurePolicy, changes: Changes) {
	const [told, disposed]: string[][] = [[], []];
	const model: DeviceModel<{name: 'failing' | 'sound'}, typeof State.fields> = {
		kind: 'failing',
		state: State,
		attach: {regions: ({name}) => [{space: 'pio', name: 'port', base: ports[name], length: 4}]},
		inputs: ({name}) => (name === 'failing' ? {pin: 9} : {}),
		lines: ({name}) => (name === 'sound' ? {out: 9} : {}),
		front: ({name}, _state, services) => ({
			read: () => 7,
			write: (_region, _offset, _size, value) => {
				if (name === 'sound') services.line('out').setLevel(value !== 0);
			},
			...(name === 'failing' && {
				...changes.front,
				...(changes.front?.write === undefined && {write: () => services.notifyBack()}),
			}),
		}),
		back: ({name}, _state, services) => ({
			start: () => (name === 'failing' ? changes.began?.(services.reactor) : undefined),
			stop: async () => {},
			notified: () => {},
			dispose: () => void disposed?.push(name),
			...(name === 'failing' && changes.back),
			...(name === 'failing' &&
				changes.back?.dispose !== undefined && {
					dispose: () => {
						disposed?.push(name);
						return changes.back?.dispose?.();
					},
				}),
		}),
	};
	const devices = (['failing', 'sound'] as const).map((name) => ({name, kind: 'failing', config: {name}}));
	const parts = {findModel: () => completeModel(model), deviceFailure: policy};
	const {machine, bus} = oneThreadMachine(devices, parts);
	const reactor = new FakeReactor();
	const backs = new DeviceBacks(machine, reactor, ({code, message}) => told?.push(`${code}: ${message}`), {
		stopLimitNs: 1e6,
	});
	const failing = () => machine.devices[0]?.faults.message;
	return {machine, backs, bus, reactor, told: told ?? [], disposed: disposed ?? [], failing};
}

type Tried = ReturnType<typeof machineOf>;

/** The failing device, as the buses of processors call it. */
const processorTarget = ({devices}: Tried['machine']) => (devices[0] as (typeof devices)[number]).target;

/** Actions that make each callback be called. */
const calls: Record<string, [Changes, (tried: Tried) => void | Promise<void>]> = {
	read: [{front: {read: throwing}}, ({bus}) => void bus.readPort(0x500, 1)],
	'read: undefined': [{front: {read: () => undefined as never}}, ({bus}) => void bus.readPort(0x500, 1)],
	'read: NaN': [{front: {read: () => Number.NaN}}, ({bus}) => void bus.readPort(0x500, 1)],
	'read: a string': [{front: {read: () => '7' as never}}, ({bus}) => void bus.readPort(0x500, 1)],
	'read: a promise': [{front: {read: rejecting}}, ({bus}) => void bus.readPort(0x500, 1)],
	write: [{front: {write: throwing}}, ({bus}) => void bus.writePort(0x500, 1, 1)],
	'write: a promise': [{front: {write: rejecting}}, ({bus}) => void bus.writePort(0x500, 1, 1)],
	reset: [{front: {reset: throwing}}, ({machine}) => machine.reset()],
	'reset: a promise': [{front: {reset: rejecting}}, ({machine}) => machine.reset()],
	restored: [{front: {restored: throwing}}, ({machine}) => void machine.restore(machine.save())],
	inputChanged: [{front: {inputChanged: throwing}}, ({bus}) => void bus.writePort(0x510, 1, 1)],
	'restored: a promise': [{front: {restored: rejecting}}, ({machine}) => void machine.restore(machine.save())],
	'inputChanged: a promise': [{front: {inputChanged: rejecting}}, ({bus}) => void bus.writePort(0x510, 1, 1)],
	'control: a promise': [{front: {control: rejecting}}, ({machine}) => void machine.control('failing', {} as never)],
	RDMSR: [{front: {readMsr: throwing}}, ({machine}) => void processorTarget(machine).readMsr(0, 0, {low: 0, high: 0})],
	'WRMSR: a promise': [
		{front: {writeMsr: rejecting}},
		({machine}) => void processorTarget(machine).writeMsr(0, 0, {low: 0, high: 0}),
	],
	'hypercall: a promise': [
		{front: {hypercall: rejecting}},
		({machine}) => void processorTarget(machine).hypercall(0, 0, {} as never),
	],
	WRMSR: [
		{front: {writeMsr: throwing}},
		({machine}) => void processorTarget(machine).writeMsr(0, 0, {low: 0, high: 0}),
	],
	hypercall: [
		{front: {hypercall: throwing}},
		({machine}) => void processorTarget(machine).hypercall(0, 0, {} as never),
	],
	intercept: [
		{front: {intercept: throwing}},
		({machine}) => void processorTarget(machine).intercept(0, 0, {} as never),
	],
	control: [{front: {control: throwing}}, ({machine}) => void machine.control('failing', {} as never)],
	start: [{back: {start: throwing}}, () => {}],
	'start: a promise': [{back: {start: rejecting}}, () => {}],
	notified: [{back: {notified: throwing}}, ({bus}) => void bus.writePort(0x500, 1, 1)],
	'notified: a promise': [{back: {notified: rejecting}}, ({bus}) => void bus.writePort(0x500, 1, 1)],
	'queueReady: a promise': [{back: {queueReady: rejecting}}, ({backs}) => void backs.back('failing')?.queueReady(0)],
	queueReady: [{back: {queueReady: throwing}}, ({backs}) => void backs.back('failing')?.queueReady(0)],
	feed: [{back: {feed: throwing}}, ({backs}) => void backs.back('failing')?.feed(Uint8Array.of(1))],
	'feed: NaN': [{back: {feed: () => Number.NaN}}, ({backs}) => void backs.back('failing')?.feed(Uint8Array.of(1))],
	'a descriptor': [
		{began: (reactor) => void reactor.watch(5, {readable: true, writable: false}, throwing)},
		({reactor}) => reactor.turn(),
	],
	'a timer': [{began: (reactor) => void reactor.after(0, throwing)}, ({reactor}) => reactor.turn()],
	'what was put off': [{began: (reactor) => reactor.defer(throwing)}, ({reactor}) => reactor.turn()],
	stop: [{back: {stop: throwing}}, ({backs}) => backs.stop()],
	'stop: a rejection': [{back: {stop: rejecting}}, ({backs}) => backs.stop()],
	dispose: [{back: {dispose: throwing}}, ({backs}) => backs.dispose()],
};

for (const [name, [changes, act]] of Object.entries(calls)) {
	for (const policy of ['machine', 'device'] as const) {
		test(`${name} fails its device, the policy being ${policy}`, async (t) => {
			// A front's failure at power-on is the machine's maker's to see.
			if (name.startsWith('reset') && policy === 'machine') {
				t.throws(() => machineOf(policy, changes), {code: 'DEVICE_FAILED'});
				return;
			}
			const tried = machineOf(policy, changes);
			const {bus, backs, told, disposed, failing} = tried;
			backs.start();
			let thrown: unknown;
			try {
				await act(tried);
			} catch (cause) {
				thrown = cause;
			}
			backs.poll();
			await new Promise(setImmediate);
			t.regex(failing() ?? '', /^The device failing failed \(/);
			t.is(tried.machine.events.failures, 1);
			t.is(thrown !== undefined || told.length > 0, policy === 'machine');
			t.is(bus.readPort(0x500, 1), 0xff);
			if (name !== 'dispose') t.is(bus.readPort(0x510, 1), 7, 'the other one goes on');
			backs.dispose();
			t.deepEqual(
				disposed.filter((who) => who === 'failing'),
				['failing'],
				'disposed of once',
			);
			if (policy === 'machine') return;
			tried.machine.reset();
			t.is(bus.readPort(0x500, 1), 0xff, 'a reset does not bring it back');
		});
	}
}

for (const [what, inFlight] of [
	['throws', throwing],
	['answers with what is no text', () => Symbol('a bug') as never],
] as const)
	test(`a stop that never resolves ends in time where inFlight ${what}`, async (t) => {
		const {backs, reactor, failing, told} = machineOf('device', {back: {stop: never, inFlight}});
		backs.start();
		const stopped = backs.stop();
		await new Promise(setImmediate);
		reactor.turn(2e6);
		await stopped;
		t.regex(failing() ?? '', /^(The device failing failed \(inFlight\)|These devices do not come to rest: failing)/);
		t.deepEqual(told, []);
	});

for (const policy of ['machine', 'device'] as const) {
	test(`a stop that never resolves is named with what is in flight, the policy being ${policy}`, async (t) => {
		const back = {stop: never, inFlight: () => 'a write of 4096 bytes'};
		const {machine, backs, reactor, disposed, failing, told} = machineOf(policy, {back});
		backs.start();
		const stopped = backs.stop();
		await new Promise(setImmediate);
		reactor.turn(2e6);
		const message = 'These devices do not come to rest: failing (a write of 4096 bytes)';
		if (policy === 'machine') await t.throwsAsync(stopped, {code: 'DEVICE_STOP_TIMEOUT', message});
		else await stopped;
		t.is(failing(), message);
		t.is(machine.devices[0]?.header.late, 1);
		t.is(machine.devices[1]?.header.back, 0, 'the other one has stopped');
		t.deepEqual(disposed, ['failing']);
		t.is(told.length, policy === 'machine' ? 1 : 0);
	});
}
