import test from 'ava';
import type {DeviceNotice} from '#devices/device-type';
import {type AttachedMachine, MachineEvents, MachineState} from '#devices/machine';
import {DeviceNotices, type NoticeOfDevice} from './device-notices.ts';

/** A machine of two devices, of which the second has something to tell: so much at most of a round. */
function make(most = Number.POSITIVE_INFINITY) {
	const events = new MachineEvents(new SharedArrayBuffer(MachineState.byteLength));
	const waiting: DeviceNotice[] = [];
	const report = () => ({nodes: () => ({}), notices: () => waiting.splice(0, most)});
	const devices = [
		{model: {}, placed: {name: 'silent', hostMemory: new SharedArrayBuffer(8)}},
		{model: {report}, placed: {name: 'disk', config: {}, hostMemory: new SharedArrayBuffer(8)}},
	];
	const notice = (message: string, pauses = false) => {
		waiting.push({kind: 'disk-error', message, details: {}, pauses});
		events.noticed();
	};
	return {machine: {events, devices} as unknown as AttachedMachine, notice};
}

test('what happens to a device is told with its name, and has the machine pause where it says so, once for what comes until then', async (t) => {
	const {machine, notice} = make();
	// What waits for notices keeps no process from its end.
	const alive = setInterval(() => {}, 1000);
	t.teardown(() => clearInterval(alive));
	const told: Pick<NoticeOfDevice, 'device' | 'kind' | 'message'>[] = [];
	const asked = {device: '', kind: 'asked', message: 'pause'};
	const over = Promise.withResolvers<void>();
	let pauses = 0;
	const heard = async (count: number) => {
		while (told.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
	};
	const notices = new DeviceNotices(machine, (each) => void told.push(each));
	const pause = async (still: () => void) => {
		told.push(asked);
		pauses++;
		await undefined;
		// What is under way when the machine begins to pause.
		if (pauses === 1) notice('late', true);
		still();
		// Its owner has it go on before anybody else has a turn, and there still is no room.
		if (pauses === 1) notice('again', true);
	};
	const telling = notices.follow(pause, over.promise);
	notice('first');
	await heard(1);
	t.like(told[0], {device: 'disk', kind: 'disk-error', message: 'first'});
	t.is(pauses, 0);
	notice('full', true);
	await heard(6);
	notice('after');
	await heard(7);
	t.deepEqual(
		told.map(({message}) => message),
		['first', 'pause', 'full', 'late', 'pause', 'again', 'after'],
		'a pause is asked for before anybody is told, and what came before the machine stood still is no reason for another one',
	);
	notice('at the end', true);
	notices.tell();
	t.like(told.at(-1), {message: 'at the end'});
	t.is(pauses, 2, 'a machine that ends has no use for a pause');
	over.resolve();
	await telling;
});

test('what a device has kept for the next round is told then, and all of it at the end', async (t) => {
	const {machine, notice} = make(2);
	const alive = setInterval(() => {}, 1000);
	t.teardown(() => clearInterval(alive));
	const told: string[] = [];
	const over = Promise.withResolvers<void>();
	const notices = new DeviceNotices(machine, ({message}) => void told.push(message));
	for (let number = 0; number < 5; number++) notice(`${number}`);
	const telling = notices.follow(() => Promise.resolve(), over.promise);
	while (told.length < 5) await new Promise((resolve) => setTimeout(resolve, 5));
	for (let number = 5; number < 10; number++) notice(`${number}`);
	notices.tell();
	t.deepEqual(
		told,
		Array.from({length: 10}, (_, number) => `${number}`),
	);
	over.resolve();
	await telling;
});

test('a device of another configuration tells what it has to tell since, and nothing anew', (t) => {
	const {machine} = make();
	const told: string[] = [];
	const counts = [1];
	// As disks have it: counters in memory, and how far they were told.
	const report = () => {
		const known: number[] = [];
		const notices = () =>
			counts.flatMap((count, index): DeviceNotice[] => {
				const isNew = count !== (known[index] ?? 0);
				known[index] = count;
				return isNew ? [{kind: 'disk-error', message: `${index}: ${count}`, details: {}, pauses: false}] : [];
			});
		return {nodes: () => ({}), notices};
	};
	const [, disk] = machine.devices as unknown as [unknown, {model: object; placed: object}];
	disk.model = {report};
	const notices = new DeviceNotices(machine, ({message}) => void told.push(message));
	notices.tell();
	counts[0] = 2;
	disk.placed = {...disk.placed};
	notices.tell();
	counts.push(1);
	notices.tell();
	t.deepEqual(told, ['0: 1', '0: 2', '1: 1']);
});
