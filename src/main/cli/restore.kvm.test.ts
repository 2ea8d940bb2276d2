import {spawn} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {vmConfig} from '#main/config';
import {createVm} from '#main/vm';

const launcher = join(process.cwd(), 'src/main/cli/launcher.mjs');
const directory = mkdtempSync(join(tmpdir(), 'openvmm-restore-'));
test.after.always(() => rmSync(directory, {recursive: true}));
const snapshot = join(directory, 'snapshot');

async function openvmm(...words: readonly string[]) {
	const env = {...process.env, XDG_CACHE_HOME: directory};
	const child = spawn(process.execPath, [launcher, ...words], {env, stdio: ['ignore', 'pipe', 'pipe']});
	const said = {stdout: '', stderr: ''};
	for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (bytes) => (said[name] += String(bytes)));
	await new Promise((resolve) => child.once('close', resolve));
	return {...said, status: child.exitCode};
}

test.before(async () => {
	const vm = await createVm(
		vmConfig({
			processors: {count: 2},
			memory: {sizeBytes: 64 * 2 ** 20},
			serial: {com1: {kind: 'file', path: join(directory, 'com1')}},
			boot: {kind: 'embedded', commandLine: ['work=20000']},
		}),
		{arguments: ['--processors=2', '--memory=65536K', '--cmdline=work=20000']},
	);
	await vm.saveSnapshot(snapshot);
	await vm.stop();
});

test.serial('a snapshot brings the flags that shape its machine', async (t) => {
	const {stdout, stderr, status} = await openvmm('--restore-snapshot', snapshot, '--verify-snapshot');
	t.is(stderr, '');
	t.is(status, 0);
	t.regex(stdout, /CPUs: 2 found, 2 running[\s\S]*: OK/);
});

test.serial('a flag that differs from the snapshot is an error with its own status', async (t) => {
	const {stderr, status} = await openvmm('restore', snapshot, '-p', '3');
	t.regex(stderr, /^openvmm: .*processors 2, asked for 3.*\[SNAPSHOT_SHAPE_DIFFERS\]\n$/);
	t.is(status, 8);
	const missing = await openvmm('restore', join(directory, 'nowhere'));
	t.regex(missing.stderr, /^openvmm: .*ENOENT.*\[SNAPSHOT_UNREADABLE\]\n$/);
	t.is(missing.status, 8);
});

test.serial('clones run side by side, each with its own files', async (t) => {
	const com1 = `file=${join(directory, 'clone-%n')}`;
	const {stderr, status} = await openvmm('restore', snapshot, '--clones', '3', '--com1', com1);
	t.is(status, 0);
	t.regex(stderr, /^openvmm: 3 clones of \S+ run: [\d.]+ ms and [\d.]+ MiB each\n$/);
	for (const clone of [0, 1, 2]) {
		t.regex(readFileSync(join(directory, `clone-${clone}`), 'latin1'), /2 running[\s\S]*: OK[\s\S]*Powering off/);
	}
});
