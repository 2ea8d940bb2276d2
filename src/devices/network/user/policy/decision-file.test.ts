import {execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {ManualClock} from '../testing/manual-clock.ts';
import {DecisionFile} from './decision-file.ts';
import type {Decision} from './verdict.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-decisions-'));
test.after.always(() => rmSync(folder, {recursive: true, force: true}));

const decision = (port: number, kind: Decision['kind'] = 'allow'): Decision => ({
	...{kind, guest: 'web', protocol: 'tcp', name: 'a.example', address: '10.1.2.3', port, detail: ''},
});
const mac = Uint8Array.of(2, 0, 0, 0, 0, 0xab);

async function opened(t: ExecutionContext, name: string) {
	const path = join(folder, name);
	const clock = new ManualClock();
	const counters = {decisionsWritten: 0, decisionsLost: 0};
	const tracked: string[] = [];
	const file = await DecisionFile.open(path, {
		clock,
		counters,
		track: (_promise, what) => void tracked.push(what ?? ''),
	});
	t.teardown(() => file.close().catch(() => undefined));
	return {path, clock, counters, tracked, file};
}

const linesOf = (path: string): Record<string, unknown>[] =>
	readFileSync(path, 'utf8')
		.split('\n')
		.slice(0, -1)
		.map((line) => JSON.parse(line) as Record<string, unknown>);

test('a thousand decisions of one turn are all there, in their order, and the next machine goes on behind them', async (t) => {
	const {path, file, counters, tracked} = await opened(t, 'all');
	for (let port = 1; port <= 1000; port++) file.add(decision(port), mac);
	t.true(file.isWriting);
	t.deepEqual(tracked, ['writing decisions'], 'a machine that stands still waits for it');
	await file.written();
	t.false(file.isWriting);
	t.deepEqual(
		linesOf(path).map(({port}) => port),
		Array.from({length: 1000}, (_, index) => index + 1),
	);
	t.deepEqual(counters, {decisionsWritten: 1000, decisionsLost: 0});
	await file.close();
	const again = await opened(t, 'all');
	again.file.add({...decision(0, 'refuse'), port: undefined, detail: 'why\nnot'});
	await again.file.close();
	const last = linesOf(path)[1000] ?? {};
	t.regex(String(last['at']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
	const known = {guest: 'web', protocol: 'tcp', name: 'a.example', address: '10.1.2.3', detail: 'why\nnot'};
	t.deepEqual(last, {at: last['at'], decision: 'refuse', ...known});
	t.is(linesOf(path)[0]?.['mac'], '02:00:00:00:00:ab');
});

test('a flood is bounded in a second, and what is not there is counted where the next lines are', async (t) => {
	const {path, file, clock, counters} = await opened(t, 'flood');
	for (let port = 1; port <= 50_000; port++) file.add(decision(port, port % 2 === 0 ? 'refuse' : 'allow'), mac);
	await file.written();
	for (let port = 1; port <= 10; port++) file.add(decision(port), mac);
	await file.written();
	t.true(readFileSync(path).length <= 2 ** 20, 'also when there is room again');
	const there = linesOf(path).length;
	t.true(there > 1000);
	t.deepEqual(counters, {decisionsWritten: there, decisionsLost: 50_010 - there});
	clock.pass(1000);
	file.add(decision(4), mac);
	await file.written();
	const [lost, next, ...others] = linesOf(path).slice(there);
	const refused = linesOf(path).filter((line) => line['decision'] === 'refuse').length;
	t.like(lost, {lost: 50_010 - there, refusals: 25_000 - refused});
	t.like(next, {decision: 'allow', port: 4});
	t.deepEqual(others, []);
	for (let port = 1; port <= 50_000; port++) file.add(decision(port), mac);
	await file.close();
	const end = linesOf(path).at(-1) as {lost: number};
	t.is(linesOf(path).length - there - 3 + end.lost, 50_000, 'the end says it too');
});

test('a file is one network’s at a time, and one that cannot be made is an error', async (t) => {
	const {file} = await opened(t, 'own');
	const refused = {code: 'NETWORK_DECISIONS_UNUSABLE', message: /another network writes to it/};
	await t.throwsAsync(opened(t, 'own'), refused);
	await file.close();
	await (await opened(t, 'own')).file.close();
	await t.throwsAsync(opened(t, 'missing/own'), {code: 'NETWORK_DECISIONS_UNUSABLE', message: /ENOENT/});
	execFileSync('mkfifo', [join(folder, 'pipe')]);
	await t.throwsAsync(opened(t, 'pipe'), {code: 'NETWORK_DECISIONS_UNUSABLE', message: /ENXIO/}, 'nobody reads it');
});

test('a file that the host stops taking ends with a whole line, and what is not in it is counted', (t) => {
	const path = join(folder, 'cut');
	const url = (file: string) => JSON.stringify(new URL(file, import.meta.url).href);
	const script = `
		import {DecisionFile} from ${url('decision-file.ts')};
		import {ManualClock} from ${url('../testing/manual-clock.ts')};
		const counters = {decisionsWritten: 0, decisionsLost: 0};
		const file = await DecisionFile.open(${JSON.stringify(path)}, {clock: new ManualClock(), counters, track() {}});
		for (let round = 0; round < 20; round++) {
			for (let port = 1; port <= 100; port++) file.add(${JSON.stringify(decision(7))});
			await file.written();
		}
		await file.close();
		process.stdout.write(JSON.stringify(counters));
	`;
	// The kernel takes no more than 128 KiB of any file.
	const limited = 'ulimit -f 128; exec "$0" --import=tsx --input-type=module -e "$1"';
	const said = execFileSync('bash', ['-c', limited, process.execPath, script], {encoding: 'utf8'});
	const {decisionsWritten, decisionsLost} = JSON.parse(said);
	t.true(decisionsWritten >= 100 && decisionsLost >= 100);
	t.is(decisionsWritten + decisionsLost, 2000);
	const lines = linesOf(path);
	t.is(lines.filter((line) => line['decision'] === 'allow').length, decisionsWritten);
});
