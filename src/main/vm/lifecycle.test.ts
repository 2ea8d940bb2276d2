import test from 'ava';
import {MachineEvents, MachineState} from '#devices/machine';
import {vmConfig} from '#main/config';
import {type ErrorData, VmmError} from '#support/errors';
import type {StopReason} from '#vcpu-worker/protocol';
import {DebugControl} from './debug-control.ts';
import {vmError} from './errors.ts';
import {Lifecycle} from './lifecycle.ts';
import {vmLimits} from './vm-limits.ts';
import type {VmParts} from './vm-parts.ts';

interface Fakes {
	/** Runs once, when the units are stopped. */
	readonly stopping?: () => void | Promise<void>;
	/** Names of devices that do not come to rest. */
	readonly late?: readonly string[];
	readonly actions?: Partial<VmParts['actions']>;
	readonly resetLimit?: number;
	readonly limits?: Partial<VmParts['limits']>;
	/** The call that fails, and the number of its turn: `start 2`. */
	readonly failAt?: string;
	readonly bootImage?: () => Promise<void>;
}

/** A life whose parts only take note of what is done to them. */
function lifeOf({
	stopping,
	late = [],
	actions,
	resetLimit = 10,
	limits,
	failAt,
	bootImage = async () => {},
}: Fakes = {}) {
	const done: string[] = [];
	const note = (what: string) => async () => {
		done.push(what);
		if (`${what} ${done.filter((other) => other === what).length}` === failAt) throw new Error(`${failAt} failed`);
	};
	const events = new MachineEvents(new SharedArrayBuffer(MachineState.byteLength));
	const failure = Promise.withResolvers<ErrorData>();
	const lost = Promise.withResolvers<VmmError>();
	const pagesLost = Promise.withResolvers<VmmError>();
	let loss: VmmError | undefined;
	let isSeen = false;
	const watch = {
		lost: lost.promise,
		get loss() {
			return isSeen ? loss : undefined;
		},
		look() {
			isSeen = true;
			return loss;
		},
	};
	const kept = Promise.withResolvers<never>();
	kept.promise.catch(() => {});
	const vcpus = {stopped: (_vcpu: number, _reason: StopReason) => {}, dispose: note('vcpus')};
	const haltWatch: {halted: () => boolean | Promise<boolean>} = {halted: () => true};
	let stop = stopping;
	const parts = {
		ram: {watch},
		mappedPages: {lost: pagesLost.promise},
		machine: {events, late: late.map((name) => ({placed: {name}}))},
		units: {
			start: note('start'),
			reset: note('reset'),
			async stop() {
				done.push('stop');
				const action = stop;
				stop = undefined;
				await action?.();
			},
		},
		vcpus,
		haltWatch,
		sampler: {async end() {}},
		notices: {tell: () => void done.push('notices')},
		debug: new DebugControl(),
		devices: {
			failure: failure.promise,
			dispose: note('devices'),
			abandon() {},
			supervise: <T>(operation: Promise<T>) => Promise.race([operation, kept.promise]),
		},
		actions: {...vmConfig().guestActions, ...actions},
		resetLimit,
		limits: {...vmLimits, ...limits},
		bootImage,
		crashDump: async () => {},
		halted: () => void done.push('halted'),
		stuck: () => void done.push('stuck'),
		release: note('release'),
	};
	const life = new Lifecycle(parts as unknown as VmParts);
	const guest = {
		stops: (reason: StopReason) => vcpus.stopped(0, reason),
		asks: (kind: 'reset' | 'power-off') => {
			events.request({kind});
			vcpus.stopped(0, {kind: 'event'});
		},
	};
	/** Resolves when all that has been asked for so far is done. */
	const settled = () => life.next(async () => {});
	/** @param by - who gets to know first: the machine's owner, a thread that touches it, or nobody who does not look */
	const loseMemory = (lose: VmmError, by: 'owner' | 'thread' | 'nobody') => {
		loss = lose;
		isSeen = by !== 'nobody';
		if (by === 'owner') lost.resolve(lose);
	};
	const losePages = pagesLost.resolve;
	return {
		life,
		done,
		guest,
		settled,
		failDevices: failure.resolve,
		loseMemory,
		losePages,
		haltWatch,
		keep: kept.reject,
	};
}

const error: ErrorData = {code: 'DEVICE_FAILED', message: 'The device x failed', context: {}};
/** What devices have to tell is told before their memory goes with their thread. */
const released = ['notices', 'devices', 'vcpus', 'release'];

for (const state of ['created', 'running', 'paused', 'halted'] as const) {
	test(`a failure of the devices ends a machine that is ${state}, and gives everything back`, async (t) => {
		const {life, done, guest, failDevices, settled} = lifeOf({actions: {shutdown: 'halt'}});
		if (state !== 'created') await life.start();
		if (state === 'paused') await life.pause();
		if (state === 'halted') guest.asks('power-off');
		await settled();
		t.is(life.state, state);
		failDevices(error);
		t.deepEqual(await life.ended, {kind: 'error', error});
		t.deepEqual(done.slice(-released.length), released);
		await life.stop();
		t.is(life.state, 'stopped');
	});
}

const loss = new VmmError({code: 'MEMORY_LOST', message: 'It is gone', context: {}});

test('lost memory ends a machine, and gives everything back', async (t) => {
	const {life, done, loseMemory} = lifeOf();
	await life.start();
	loseMemory(loss, 'owner');
	t.deepEqual(await life.ended, {kind: 'error', error: loss.toData()});
	t.deepEqual(done.slice(-released.length), released);
});

test('lost memory of a device ends a machine, and gives everything back', async (t) => {
	const {life, done, losePages} = lifeOf();
	await life.start();
	losePages(loss);
	t.deepEqual(await life.ended, {kind: 'error', error: loss.toData()});
	t.deepEqual(done.slice(-released.length), released);
});

for (const [by, stops] of [
	['thread', 'power-off'],
	['nobody', 'crash'],
	['nobody', 'failed'],
] as const) {
	test(`a guest that ends by ${stops} has not done so by itself where memory is lost that ${by} has met`, async (t) => {
		const {life, guest, loseMemory} = lifeOf();
		await life.start();
		loseMemory(loss, by);
		if (stops === 'power-off') guest.asks(stops);
		else if (stops === 'crash') guest.stops({kind: stops, reason: 'triple fault'});
		else guest.stops({kind: stops, error});
		t.deepEqual(await life.ended, {kind: 'error', error: loss.toData()});
	});
}

test('a machine whose parts cannot be stopped ends all the same, with the first cause', async (t) => {
	const stopping = () => Promise.reject(new Error('the thread is gone'));
	const {life, done, guest} = lifeOf({stopping});
	await life.start();
	guest.stops({kind: 'crash', reason: 'triple fault'});
	t.like(await life.ended, {kind: 'error', error: {message: 'The machine could not go on: the thread is gone'}});
	t.deepEqual(done.slice(-released.length), released);
});

test('stop never rejects: what could not be stopped is how the machine ended', async (t) => {
	const {life, done} = lifeOf({stopping: () => Promise.reject(new Error('the thread is gone'))});
	await life.start();
	await life.stop();
	t.like(await life.ended, {kind: 'error', error: {message: 'The machine could not be stopped: the thread is gone'}});
	t.deepEqual(done.slice(-released.length), released);
});

test('a vCPU whose last access cannot be completed lets no operation see its registers, and ends the machine', async (t) => {
	const failed: StopReason = {kind: 'failed', error};
	const {life, guest, done} = lifeOf({
		stopping() {
			guest.stops(failed);
			throw new Error('registers are torn');
		},
	});
	await life.start();
	await t.throwsAsync(
		life.atRest('state', async () => t.fail('a snapshot would have been made')),
		{message: 'registers are torn'},
	);
	t.deepEqual(await life.ended, failed.kind === 'failed' ? {kind: 'error', error} : undefined);
	t.is(done.filter((what) => what === 'start').length, 1);
});

test('a triple fault just when the machine is paused is not lost', async (t) => {
	const {life, guest} = lifeOf({stopping: () => guest.stops({kind: 'crash', reason: 'triple fault'})});
	await life.start();
	await life.pause();
	t.deepEqual(await life.ended, {kind: 'crash', reason: 'triple fault', vcpu: 0, status: 3});
});

test('the same with an operation at rest: the guest does not run on in between', async (t) => {
	const {life, guest, done} = lifeOf({stopping: () => guest.stops({kind: 'crash', reason: 'triple fault'})});
	await life.start();
	await life.atRest('state', async () => {});
	await life.ended;
	t.is(done.filter((what) => what === 'start').length, 1);
});

for (const crash of ['reset', {exit: 3}] as const) {
	test(`a crash just when a machine is to be saved comes first, its action being ${crash === 'reset' ? crash : 'exit'}`, async (t) => {
		const {life, guest, done} = lifeOf({
			stopping: () => guest.stops({kind: 'crash', reason: 'triple fault'}),
			actions: {crash},
		});
		await life.start();
		const saving = life.whileLive({operation: 'save', wanted: 'state', signal: undefined}, (_signal, atRest) =>
			atRest(async () => void done.push('saved')),
		);
		if (crash === 'reset') {
			await saving;
			t.deepEqual(done, ['start', 'stop', 'stop', 'reset', 'start', 'stop', 'saved', 'start']);
			return life.stop();
		}
		await t.throwsAsync(saving, {code: 'OPERATION_ABORTED'});
		t.like(await life.ended, {kind: 'crash'});
		t.false(done.includes('saved'));
		const late = life.whileLive({operation: 'save', wanted: 'state', signal: undefined}, async () => {});
		await t.throwsAsync(late, {code: 'VM_STOPPED'});
	});
}

test('a crash while paused that resets leaves the machine paused', async (t) => {
	const {life, guest, settled, done} = lifeOf({
		stopping: () => guest.stops({kind: 'crash', reason: 'triple fault'}),
		actions: {crash: 'reset'},
	});
	await life.start();
	await life.pause();
	await settled();
	t.is(life.state, 'paused');
	t.deepEqual(done.slice(-2), ['stop', 'reset']);
});

test('a guest that resets itself without getting anywhere ends', async (t) => {
	const {life, guest, done, settled} = lifeOf({resetLimit: 2});
	await life.start();
	for (let round = 0; round < 3; round++) {
		guest.asks('reset');
		await settled();
	}
	t.deepEqual(await life.ended, {kind: 'reset-loop', resets: 2});
	t.is(done.filter((what) => what === 'reset').length, 2);
});

/** A life that waits before its fourth reset in a row. */
async function waitingLife(fakes: Fakes = {}) {
	const lived = lifeOf(fakes);
	await lived.life.start();
	for (let round = 0; round < 4; round++) {
		lived.guest.asks('reset');
		await lived.settled();
	}
	return lived;
}

test('the fourth reset in a row waits, and then the guest runs again', async (t) => {
	const {life, done} = await waitingLife({limits: {resetPauseMs: 1}});
	t.is(life.state, 'halted');
	t.is(done.filter((what) => what === 'reset').length, 3);
	while (life.state !== 'running') await new Promise((resolve) => setImmediate(resolve));
	t.is(done.filter((what) => what === 'reset').length, 4);
	await life.stop();
});

test('pausing a machine that waits to reset has it reset and paused', async (t) => {
	const {life, done} = await waitingLife();
	await life.pause();
	t.is(life.state, 'paused');
	await life.start();
	t.is(life.state, 'running');
	t.deepEqual(done.slice(-2), ['reset', 'start']);
	await life.stop();
});

test('what was asked for before a machine that cannot start again is over with it', async (t) => {
	const starting = lifeOf({failAt: 'start 1'});
	await t.throwsAsync(starting.life.start(), {message: 'start 1 failed'});
	const message = 'The machine could not go on: start 1 failed';
	t.like(await starting.life.ended, {kind: 'error', error: {message}});

	const resting = lifeOf({failAt: 'start 2'});
	await resting.life.start();
	await t.throwsAsync(
		resting.life.atRest('state', async () => 'saved'),
		{message: 'start 2 failed'},
	);
	t.like(await resting.life.ended, {kind: 'error'});

	const pausing = await waitingLife({failAt: 'reset 4'});
	await t.throwsAsync(pausing.life.pause(), {message: 'reset 4 failed'});
	t.like(await pausing.life.ended, {kind: 'error'});
	t.deepEqual(pausing.done.slice(-released.length), released);
});

test('a reset by the owner does not wait, nor does a stop', async (t) => {
	const {life} = await waitingLife();
	await life.reset();
	t.is(life.state, 'running');
	await life.stop();
	const other = await waitingLife();
	await other.life.stop();
	t.deepEqual(await other.life.ended, {kind: 'stopped'});
});

test('a guest halted for good is said to be, and by default stays', async (t) => {
	const {life, done, haltWatch, settled} = lifeOf();
	await life.start();
	t.true(await haltWatch.halted());
	await settled();
	t.is(life.state, 'running');
	t.deepEqual(done, ['start', 'stuck']);
	await life.stop();
});

test('what follows a guest halted for good can be chosen', async (t) => {
	const exiting = lifeOf({actions: {halt: {exit: 7}}});
	await exiting.life.start();
	void exiting.haltWatch.halted();
	t.deepEqual(await exiting.life.ended, {kind: 'halt', status: 7});

	const kept = lifeOf({actions: {halt: 'halt'}});
	await kept.life.start();
	void kept.haltWatch.halted();
	await kept.settled();
	t.is(kept.life.state, 'halted');
	t.deepEqual(kept.done, ['start', 'stuck', 'stop', 'halted']);
	await kept.life.stop();
});

test('a watch that is late tells nothing of a machine that was paused meanwhile', async (t) => {
	const {life, done, haltWatch, settled} = lifeOf({actions: {halt: {exit: 7}}});
	await life.start();
	await life.pause();
	t.false(await haltWatch.halted());
	await settled();
	t.is(life.state, 'paused');
	t.false(done.includes('stuck'));
	await life.stop();
});

test('an operation that the devices keep for ever does not keep the machine from its end', async (t) => {
	const hang = Promise.withResolvers<void>();
	const {life, done, keep} = lifeOf({stopping: () => hang.promise});
	await life.start();
	const paused = life.pause();
	const stopped = life.stop();
	keep(vmError('VM_DEVICES_HUNG', {tid: 7, seconds: 5}));
	await stopped;
	t.like(await life.ended, {kind: 'error', error: {code: 'VM_DEVICES_HUNG'}});
	t.false(done.includes('release'), 'the thread may still use it');
	hang.resolve();
	await paused;
	t.is(life.state, 'stopped', 'over is over');
	await life.stop();
	t.is(done.filter((what) => what === 'vcpus').length, 1);
});

for (const state of ['created', 'running', 'paused'] as const) {
	test(`what a device that does not come to rest may use is kept when a machine ends that is ${state}`, async (t) => {
		const {life, done} = lifeOf({late: ['disk']});
		if (state !== 'created') await life.start();
		if (state === 'paused') await life.pause();
		await life.stop();
		t.like(await life.ended, {kind: 'error', error: {code: 'DEVICE_STOP_TIMEOUT'}});
		t.deepEqual(done.slice(-2), ['devices', 'vcpus']);
	});
}

test('so is what processors use that do not come to rest', async (t) => {
	const {life, done} = lifeOf({stopping: () => new Promise<void>(() => {}), limits: {restMs: 5, endStepMs: 5}});
	await life.start();
	await life.stop();
	t.is((await life.ended).kind, 'error');
	t.deepEqual(done.slice(-2), ['devices', 'vcpus']);
});

test('several vCPUs that stop for one cause are one crash, and it is of the run in which it was', async (t) => {
	const {life, guest, done, settled} = lifeOf({actions: {crash: 'reset'}, resetLimit: 1});
	await life.start();
	for (let vcpu = 0; vcpu < 4; vcpu++) guest.stops({kind: 'crash', reason: 'triple fault'});
	await settled();
	t.is(life.state, 'running');
	t.is(done.filter((what) => what === 'reset').length, 1);
	const reset = life.reset();
	guest.stops({kind: 'crash', reason: 'triple fault'});
	await reset;
	await settled();
	t.is(life.state, 'running', 'the crash was of the run before');
	await life.stop();
});

test('a pause and a start around a crash do not run a processor that has crashed', async (t) => {
	const {life, guest, done} = lifeOf({stopping: () => guest.stops({kind: 'crash', reason: 'triple fault'})});
	await life.start();
	await Promise.all([life.pause(), life.start()]);
	t.like(await life.ended, {kind: 'crash'});
	t.is(done.filter((what) => what === 'start').length, 1);
});

test('a snapshot of a machine that waits to reset is one of a machine that has reset', async (t) => {
	const {life, done} = await waitingLife();
	await life.atRest('state', async () => void done.push('save'));
	t.deepEqual(done.slice(-3), ['reset', 'save', 'start']);
	await life.stop();
});

test('a reset without anything to start leaves the guest as it was', async (t) => {
	const {life, done} = lifeOf({bootImage: () => Promise.reject(new Error('nothing to boot'))});
	await life.start();
	await t.throwsAsync(life.reset(), {message: 'nothing to boot'});
	t.is(life.state, 'running');
	t.deepEqual(done, ['start']);
	await life.stop();
});
