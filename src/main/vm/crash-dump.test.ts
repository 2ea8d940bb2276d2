import test from 'ava';
import {crashDump, crashDumpsPerHour} from './crash-dump.ts';
import {vmError} from './errors.ts';

/** Tells what a machine does whose guest crashes at these minutes: a number for a dump, a code for what it tells instead. */
async function crashesAt(minutes: readonly number[], write: () => Promise<void> = async () => {}): Promise<string[]> {
	const told: string[] = [];
	let [minute, writes] = [0, 0];
	const dump = crashDump(
		'/core',
		(path, error) => void told.push(error === undefined ? `${path} ${writes}` : error.code),
		() => minute * 60_000,
	);
	for (minute of minutes) {
		await dump(async () => {
			writes++;
			await write();
		});
	}
	return told;
}

test('a guest that crashes in a loop gets a few dumps an hour, and what follows is said once', async (t) => {
	const storm = Array.from({length: 1000}, (_, index) => index / 1000);
	const first = Array.from({length: crashDumpsPerHour}, (_, index) => `/core ${index + 1}`);
	t.deepEqual(await crashesAt(storm), [...first, 'VM_CRASH_DUMPS_LIMIT']);
	t.deepEqual(await crashesAt([...storm, 59, 60, 61]), [...first, 'VM_CRASH_DUMPS_LIMIT', '/core 5', '/core 6']);
});

test('crashes that are seldom are all dumped', async (t) => {
	t.is((await crashesAt([0, 16, 32, 48, 64, 80, 96])).filter((line) => line.startsWith('/core')).length, 7);
});

test('dumps that fail count, for they write too, and each says why', async (t) => {
	const fail = () => Promise.reject(vmError('VM_STOPPED', {wanted: 'room'}));
	const told = await crashesAt([0, 0, 0, 0, 0, 0], fail);
	t.deepEqual(told, [...new Array<string>(crashDumpsPerHour).fill('VM_STOPPED'), 'VM_CRASH_DUMPS_LIMIT']);
});

test('without a path nothing is written', async (t) => {
	await crashDump(undefined, () => t.fail())(() => Promise.reject(new Error('written')));
	t.pass();
});
