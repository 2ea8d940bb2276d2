import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import type {Machine} from '#main/operations';
import {makeOwnFolder} from '#main/own-folder';
import {entryDirectory, makeEntryDirectory} from './entry-directory.ts';
import {claimEntry, connectMachine, findMachine, hasEnded, isMachineName, listMachines, serveControl} from './index.ts';
import {maxKept} from './machine-entry.ts';
import {madeUpName} from './machine-name.ts';
import {writeRecord} from './machine-record.ts';
import {isAlive, ownIdentity} from './process-identity.ts';
import {draftPrefix, removeEntry} from './stale-entries.ts';

const base = mkdtempSync(join(tmpdir(), 'openvmm-entry-'));
test.after.always(() => rmSync(base, {recursive: true}));
// Servers and clients do not keep the process; a machine's threads would.
const alive = setInterval(() => {}, 1000);
test.after.always(() => clearInterval(alive));

const newDirectory = () => join(mkdtempSync(join(base, 'd-')), 'openvmm');
const machine = {state: 'running', processors: 1, vsock: {path: 'sockets'}} as unknown as Machine;
const names = async (directory: string) => (await listMachines(directory)).map(({name}) => name);

/** A process with an entry of its own, which does nothing else. */
async function holder(t: ExecutionContext, directory: string, name: string, keeps = false): Promise<ChildProcess> {
	const index = fileURLToPath(new URL('./index.ts', import.meta.url));
	const options = JSON.stringify({name, keeps});
	const script = `const {claimEntry} = await import(${JSON.stringify(index)});
		await claimEntry(${options}, ${JSON.stringify(directory)});
		console.log('claimed');
		setInterval(() => {}, 1000);`;
	const child = spawn(process.execPath, ['--import=tsx', '--input-type=module', '--eval', script], {
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	t.teardown(() => child.kill('SIGKILL'));
	await once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data');
	return child;
}

async function killed(child: ChildProcess): Promise<void> {
	const end = once(child, 'exit');
	child.kill('SIGKILL');
	await end;
}

test('machines are found by name and process id', async (t) => {
	const directory = newDirectory();
	makeEntryDirectory(directory);
	await t.throwsAsync(connectMachine({name: 'one'}, directory), {code: 'CONTROL_MACHINE_UNKNOWN'});
	const one = await claimEntry({name: 'one'}, directory);
	const first = await serveControl(machine, {entry: one});
	t.teardown(() => first.close());
	t.is(statSync(first.path).mode & 0o777, 0o600);
	const [listed] = await listMachines(directory);
	t.is(listed?.record.about.sockets, resolve('sockets'), 'wherever the others are');
	const client = await connectMachine({name: String(process.pid)}, directory);
	t.is(client.hello.name, 'one');
	client.close();
	const two = await claimEntry({name: 'two'}, directory);
	const second = await serveControl(machine, {entry: two});
	t.teardown(() => second.close());
	const found = await connectMachine({socket: second.path});
	t.is(found.hello.name, 'two');
	found.close();
	const connect = (name: string) => connectMachine({name}, directory);
	const ambiguous = {code: 'CONTROL_MACHINE_AMBIGUOUS', message: /one \(\d+\), two/};
	await t.throwsAsync(connect(String(process.pid)), ambiguous);
	await t.throwsAsync(connect('three'), {code: 'CONTROL_MACHINE_UNKNOWN'});
	two.end(0);
	t.is((await findMachine(String(process.pid), directory)).name, 'one');
	one.end(0);
	t.deepEqual(readdirSync(directory), []);
});

test('a name belongs to one machine, also among processes, until that is gone', async (t) => {
	const directory = newDirectory();
	const child = await holder(t, directory, 'db');
	await t.throwsAsync(claimEntry({name: 'db'}, directory), {code: 'CONTROL_NAME_TAKEN', message: /is running/});
	const listed = await findMachine('db', directory);
	t.false(await hasEnded(listed));
	t.is((await findMachine(String(child.pid), directory)).name, 'db');
	await killed(child);
	t.true(await hasEnded(listed));
	const entry = await claimEntry({name: 'db'}, directory);
	t.true(await hasEnded(listed), 'another has the name');
	t.deepEqual(await names(directory), ['db']);
	entry.end(0);
	t.deepEqual(await names(directory), []);
});

test('what a killed process leaves goes, or has the status of its end where it is kept', async (t) => {
	const directory = newDirectory();
	const [gone, kept] = await Promise.all([holder(t, directory, 'gone'), holder(t, directory, 'kept', true)]);
	t.deepEqual((await names(directory)).sort(), ['gone', 'kept']);
	await Promise.all([killed(gone), killed(kept)]);
	const draft = makeOwnFolder(directory, draftPrefix);
	renameSync(draft, draft.replace(`-${process.pid}-`, `-${gone.pid}-`));
	const [left, ...others] = await listMachines(directory);
	t.deepEqual(others, []);
	t.is(left?.name, 'kept');
	t.is(left?.record.ended?.status, 137);
	await t.throwsAsync(connectMachine({name: 'kept'}, directory), {code: 'CONTROL_MACHINE_ENDED'});
	await t.throwsAsync(claimEntry({name: 'kept'}, directory), {code: 'CONTROL_NAME_TAKEN', message: /has ended/});
	await claimEntry({name: 'next'}, directory);
	t.deepEqual(readdirSync(directory).sort(), ['kept', 'next']);
});

test('a later process with the id of one that is gone is another', async (t) => {
	t.true(isAlive(ownIdentity()));
	t.false(isAlive({...ownIdentity(), started: '1'}));
	t.false(isAlive({pid: 999_999_999, started: ownIdentity().started}));
	const directory = newDirectory();
	const entry = await claimEntry({name: 'old'}, directory);
	const record = {version: 1, createdAt: 1, about: {}, keeps: false} as const;
	writeRecord(entry.folder, {...record, process: {pid: process.pid, started: 'another boot'}});
	t.deepEqual(await names(directory), []);
	t.false(existsSync(entry.folder));
});

test('a folder is removed only if it is the one that is meant', async (t) => {
	const directory = newDirectory();
	const {folder} = await claimEntry({name: 'taken'}, directory);
	t.false(removeEntry(folder, ({createdAt}) => createdAt === 1));
	t.deepEqual(readdirSync(directory), ['taken']);
	t.true(removeEntry(folder, ({process: {pid}}) => pid === process.pid));
	t.deepEqual(readdirSync(directory), []);
});

test('one whose process id means nothing here lives as long as it answers', async (t) => {
	const directory = newDirectory();
	const entry = await claimEntry({name: 'elsewhere'}, directory);
	const server = await serveControl(machine, {entry});
	const record = {version: 1, createdAt: 1, about: {}, keeps: false} as const;
	writeRecord(entry.folder, {...record, process: {pid: 999_999_999, started: ''}});
	const listed = await findMachine('elsewhere', directory);
	t.false(await hasEnded(listed));
	server.close();
	t.true(await hasEnded(listed));
	t.deepEqual(await names(directory), []);
});

test('so many machines that have ended are kept, and the oldest go', async (t) => {
	const directory = newDirectory();
	for (let number = 0; number < maxKept + 3; number++) {
		const entry = await claimEntry({name: `m${number}`, keeps: true}, directory);
		entry.end(number);
		const {folder} = entry;
		const record = {version: 1, process: ownIdentity(), about: {}, keeps: true} as const;
		writeRecord(folder, {...record, createdAt: number, ended: {at: number, status: number}});
	}
	const left = await names(directory);
	t.is(left.length, maxKept);
	t.deepEqual([left[0], left.at(-1)], ['m3', `m${maxKept + 2}`]);
});

test('names are made up, and none leads out of the folder', async (t) => {
	const directory = newDirectory();
	const [one, two] = await Promise.all([claimEntry({}, directory), claimEntry({}, directory)]);
	t.regex(one.name, /^[a-z]+-[a-z]+$/);
	t.not(one.name, two.name);
	for (let attempt = 0; attempt < 20; attempt++) t.true(isMachineName(madeUpName(attempt)));
	for (const name of ['..', '.', '', '../x', 'a/b', '123', '-x', 'x'.repeat(65), 'a\n'])
		await t.throwsAsync(claimEntry({name}, directory), {code: 'CONTROL_NAME_INVALID'});
});

test('a folder without a record, or with another’s, is no machine', async (t) => {
	const directory = newDirectory();
	makeEntryDirectory(directory);
	for (const [name, text] of [
		['empty', undefined],
		['later', '{"version": 2}'],
		['broken', '{"versi'],
		['large', `{"version": 1, "x": "${'x'.repeat(100_000)}"}`],
	] as const) {
		mkdirSync(join(directory, name));
		if (text !== undefined) writeFileSync(join(directory, name, 'machine.json'), text);
	}
	writeFileSync(join(directory, 'file'), '');
	t.deepEqual(await names(directory), []);
	await t.throwsAsync(claimEntry({name: 'later'}, directory), {code: 'CONTROL_NAME_TAKEN'});
});

test.serial('many machines of one process each have a folder of their own', async (t) => {
	const before = process.env['XDG_RUNTIME_DIR'];
	process.env['XDG_RUNTIME_DIR'] = mkdtempSync(join(base, 'd-'));
	t.teardown(() => {
		if (before === undefined) delete process.env['XDG_RUNTIME_DIR'];
		else process.env['XDG_RUNTIME_DIR'] = before;
	});
	const wanted = ['a', 'b', 'c'];
	const servers = await Promise.all(wanted.map((name) => serveControl(machine, {name})));
	const listed = await listMachines();
	t.deepEqual(listed.map(({name}) => name).sort(), wanted);
	t.is(listed[0]?.record.about.processors, 1);
	for (const server of servers) server.close();
	t.deepEqual(readdirSync(entryDirectory()), []);
});
