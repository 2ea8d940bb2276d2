import {once} from 'node:events';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Worker} from 'node:worker_threads';
import test from 'ava';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-device-code-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const at = (specifier: string) => JSON.stringify(import.meta.resolve(specifier));

/** A thread whose machines have a device whose code fails where nobody calls it, as each message says, and one that does not. */
const thread = join(folder, 'thread.mjs');
writeFileSync(
	thread,
	`import {stat} from 'node:fs';
	import {readFile} from 'node:fs/promises';
	import {parentPort} from 'node:worker_threads';
	import {completeModel} from ${at('#devices/pci/function')};
	import {FakeReactor, oneThreadMachine} from ${at('#devices/testing')};
	import {u8, wire} from ${at('#support/wire')};
	import {catchStrays, DeviceBacks} from ${at('#devices/machine')};

	catchStrays();
	const fail = (text) => { throw new Error(text); };
	const ways = {
		promise: async (gone) => { await gone; fail('a bug'); },
		'promise of node:fs': () => void readFile('/'),
		callback: (gone) => stat('/', () => gone.then(() => stat('/', () => fail('a bug')))),
		timer: (gone) => setTimeout(() => gone.then(() => setTimeout(() => fail('a bug')))),
		'what is no error': (gone) => void gone.then(() => Promise.reject(undefined)),
	};
	const model = completeModel({
		kind: 'stray',
		state: wire('stray', {value: u8}),
		attach: {regions: ({base}) => [{space: 'pio', name: 'port', base, length: 1}]},
		front: () => ({read: () => 7, write() {}}),
		back: ({strays}) => ({
			start: () => strays?.(),
			stop: async () => {},
			notified() {},
			dispose() {},
		}),
	});
	async function run({how, goes, deviceFailure}) {
		const gone = Promise.withResolvers();
		const strays = () => void ways[how](gone.promise);
		const devices = [
			{name: 'failing', kind: 'stray', config: {base: 0x500, strays}},
			{name: 'sound', kind: 'stray', config: {base: 0x510}},
		];
		const {machine, bus} = oneThreadMachine(devices, {findModel: () => model, deviceFailure});
		const report = (about) => (error) => parentPort.postMessage({
			about,
			message: error?.message,
			failures: machine.events.failures,
			reads: [bus.readPort(0x500, 1), bus.readPort(0x510, 1)],
		});
		if (deviceFailure === 'device') void machine.events.moreFailures(0).then(() => report('event')());
		const backs = new DeviceBacks(machine, new FakeReactor(), report('failed'), {late: report('late')});
		backs.start();
		await backs.stop();
		if (goes) await backs.dispose();
		gone.resolve();
	}
	parentPort.on('message', (wanted) => {
		if (wanted.how === 'nobody’s promise') void Promise.reject(new Error('nobody’s'));
		else if (wanted.how === 'nobody’s callback') stat('/', () => fail('nobody’s'));
		else void run(wanted);
	});`,
);

const worker = new Worker(thread);
test.after.always(() => worker.terminate());

async function outcome(wanted: {how: string; goes?: boolean; deviceFailure?: 'device'}): Promise<object> {
	worker.postMessage(wanted);
	const [told] = await once(worker, 'message');
	return told;
}

const causes = {
	promise: 'a promise): a bug',
	callback: 'a callback): a bug',
	timer: 'a callback): a bug',
	'what is no error': 'a promise): undefined',
};

for (const [how, cause] of Object.entries(causes)) {
	const message = `The device failing failed (${cause}`;
	test.serial(`${how}: what nobody catches fails its device alone`, async (t) => {
		t.like(await outcome({how}), {about: 'failed', message, failures: 1, reads: [0xff, 7]});
	});
	test.serial(`${how}: what fails when its machine has gone touches nothing of it`, async (t) => {
		t.like(await outcome({how, goes: true}), {about: 'late', message, failures: 0, reads: [7, 7]});
	});
}

test.serial('a promise of Node’s own is its device’s too, by whose policy the machine goes on', async (t) => {
	const told = await outcome({how: 'promise of node:fs', deviceFailure: 'device'});
	t.like(told, {about: 'event', failures: 1, reads: [0xff, 7]});
});

for (const how of ['nobody’s callback', 'nobody’s promise'])
	test.serial(`${how} ends the thread, also after failures of devices`, async (t) => {
		const used = how === 'nobody’s promise' ? worker : new Worker(thread);
		const ended = t.throwsAsync(once(used, 'exit'), {any: true, message: 'nobody’s'});
		used.postMessage({how});
		await ended;
	});
