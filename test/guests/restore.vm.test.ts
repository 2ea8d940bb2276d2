import {spawn} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import {setTimeout as sleep} from 'node:timers/promises';
import {isDeepStrictEqual} from 'node:util';
import test from 'ava';
import {ControlClient} from '#main/control';
import {backEndHere, embedded, type MakeMachine, vmTest, x86BackEnds} from '#test/petri';
import {controlSockets} from './testing/control-sockets.ts';

const x86 = {on: x86BackEnds};

const launcher = join(process.cwd(), 'src/main/cli/launcher.mjs');
const directory = mkdtempSync(join(tmpdir(), 'openvmm-restore-'));
test.after.always(() => rmSync(directory, {recursive: true}));
const snapshot = join(directory, 'snapshot');

const env = {...process.env, XDG_CACHE_HOME: directory, XDG_RUNTIME_DIR: directory};
const start = (words: readonly string[]) =>
	spawn(process.execPath, [launcher, ...words, '--hypervisor', backEndHere], {env, stdio: ['ignore', 'pipe', 'pipe']});

async function openvmm(...words: readonly string[]) {
	const child = start(words);
	const said = {stdout: '', stderr: ''};
	for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (bytes) => (said[name] += String(bytes)));
	await new Promise((resolve) => child.once('close', resolve));
	return {...said, status: child.exitCode};
}

/** The embedded guest's words once it waits. */
const hangs = 'Hanging until stopped';

/** A snapshot of a machine that has not started yet. */
async function save(machine: MakeMachine, path: string, count: number, commandLine: string): Promise<void> {
	const {vm} = await machine({processors: {count}, boot: embedded(commandLine)});
	await vm.saveSnapshot(path);
	await vm.stop();
}

let saving: Promise<void> | undefined;
/** {@link snapshot} is there. */
const saved = (machine: MakeMachine) => {
	saving ??= save(machine, snapshot, 2, 'work=20000');
	return saving;
};

vmTest('a snapshot brings the flags that shape its machine', x86, async (t, machine) => {
	await saved(machine);
	const {stdout, stderr, status} = await openvmm('--restore-snapshot', snapshot, '--verify-snapshot');
	t.is(stderr, '');
	t.is(status, 0);
	t.regex(stdout, /CPUs: 2 found, 2 running[\s\S]*: OK/);
});

vmTest('a flag that differs from the snapshot is an error with its own status', x86, async (t, machine) => {
	await saved(machine);
	const {stderr, status} = await openvmm('restore', snapshot, '-p', '3');
	t.regex(stderr, /^openvmm: .*processors 2, asked for 3.*\[SNAPSHOT_SHAPE_DIFFERS\]\n$/);
	t.is(status, 8);
	const missing = await openvmm('restore', join(directory, 'nowhere'));
	t.regex(missing.stderr, /^openvmm: .*ENOENT.*\[SNAPSHOT_UNREADABLE\]\n$/);
	t.is(missing.status, 8);
});

vmTest('clones run side by side, each with its own files', x86, async (t, machine) => {
	await saved(machine);
	const com1 = `file=${join(directory, 'clone-%n')}`;
	const {stderr, status} = await openvmm('restore', snapshot, '--clones', '3', '--com1', com1, '--clock', 'continue');
	t.is(status, 0);
	t.regex(stderr, /^openvmm: 3 clones of \S+ run: [\d.]+ ms and [\d.]+ MiB each\n$/);
	for (const clone of [0, 1, 2]) {
		t.regex(readFileSync(join(directory, `clone-${clone}`), 'latin1'), /2 running[\s\S]*: OK[\s\S]*Powering off/);
	}
});

vmTest('signals pause, resume, reset and end all clones', x86, async (t, machine) => {
	t.timeout(600_000);
	// Guests that wait, and do not end by themselves: who looks at them decides how long that takes.
	const waiting = join(directory, 'waiting');
	await save(machine, waiting, 1, 'hang=hlt');
	const clones = [0, 1, 2];
	const com1 = (clone: number | string) => join(directory, `waiting-${clone}`);
	const child = start(['restore', waiting, '--clones', `${clones.length}`, '--com1', `file=${com1('%n')}`]);
	const stderr = text(child.stderr);
	const ended = new Promise((resolve) => child.once('exit', (status, signal) => resolve(status ?? signal)));
	t.teardown(() => void child.kill('SIGKILL'));
	const boots = () =>
		clones.map((clone) => (existsSync(com1(clone)) ? readFileSync(com1(clone), 'latin1') : '').split(hangs).length - 1);
	const states = async () => {
		return Promise.all(
			controlSockets(directory, child.pid).map(async (socket) => {
				const client = await ControlClient.connect(socket);
				const {state} = (await client.call('status')) as {state: string};
				client.close();
				return state;
			}),
		);
	};
	/** Waits until all clones are as wanted; the test's own timeout ends it. */
	const all = async (look: () => unknown[] | Promise<unknown[]>, wanted: unknown) => {
		for (
			let seen = await look();
			!isDeepStrictEqual(
				seen,
				clones.map(() => wanted),
			);
			seen = await look()
		)
			await sleep(100);
	};
	await all(boots, 1);
	await all(states, 'running');
	child.kill('SIGTSTP');
	await all(states, 'paused');
	child.kill('SIGCONT');
	await all(states, 'running');
	child.kill('SIGUSR2');
	await all(boots, 2);
	child.kill('SIGTERM');
	t.is(await ended, 143);
	t.regex(await stderr, /^openvmm: 3 clones of .*$/m);
});
