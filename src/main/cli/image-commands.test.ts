import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import test, {type ExecutionContext} from 'ava';
import {makeImage, writeLayout} from '#main/oci/testing';
import {imageProgress} from './image-commands.ts';

function folderOf(t: ExecutionContext): string {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-images-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	return folder;
}

/** Runs the command. */
async function run(...words: readonly string[]) {
	const child = spawn(process.execPath, ['src/main/cli/main.ts', 'image', ...words], {
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	const ended = new Promise((resolve) => child.once('close', resolve));
	const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
	return {status: child.exitCode, stdout, stderr};
}

test('openvmm image loads, lists, inspects, removes and prunes', async (t) => {
	t.timeout(900_000);
	const folder = folderOf(t);
	const cache = ['--cache', join(folder, 'cache')];
	const parts = makeImage({layers: [[{path: 'a', data: 'x'}]], config: {Cmd: ['/a'], Labels: {by: 'me'}}});
	const layout = await writeLayout(join(folder, 'layout'), {v1: parts});
	const loaded = await run('load', `oci:${layout}`, 'team/app:v1', '--progress', ...cache);
	t.deepEqual([loaded.status, loaded.stdout], [0, `docker.io/team/app:v1@${parts.manifest.digest}\n`]);
	t.regex(loaded.stderr, /^openvmm: fetches its layers \(0\.0 MB\)$/m);
	t.regex(
		(await run('ls', ...cache)).stdout,
		/^NAME +DIGEST +SIZE +FETCHED\ndocker\.io\/team\/app:v1 +[0-9a-f]{12} +0\.0 MB +\d{4}-/,
	);
	const listed = JSON.parse((await run('ls', '--json', ...cache)).stdout) as {name: string}[];
	t.is(listed.length, 2);
	const shown = JSON.parse((await run('inspect', 'team/app:v1', ...cache)).stdout) as {config: object};
	t.like(shown, {digest: parts.manifest.digest, config: {cmd: ['/a'], labels: {by: 'me'}}});
	t.regex((await run('rm', `oci:${layout}`, ...cache)).stdout, /^removed oci:.*\n0 files/);
	t.regex((await run('rm', 'team/app:v1', ...cache)).stdout, /^removed docker\.io\/team\/app:v1\n3 files/);
	t.deepEqual((await run('prune', ...cache)).stdout, '0 files, 0.0 MB\n');
	const unknown = await run('inspect', 'team/app:v1', ...cache);
	t.is(unknown.status, 11);
	t.regex(unknown.stderr, /There is no image "team\/app:v1".*image pull/s);
	const unreached = await run('pull', '127.0.0.1:1/app', '--user', 'me', ...cache);
	t.is(unreached.status, 2);
	t.regex(unreached.stderr, /OPENVMM_REGISTRY_PASSWORD/);
});

test('on a terminal one line says how far an image is and how long it takes yet', (t) => {
	let [said, time] = ['', 0];
	const line = imageProgress(
		true,
		(text) => (said += text),
		() => time,
	);
	line.show('download', 0, 100 * 2 ** 20);
	time = 100;
	line.show('download', 2 ** 20, 100 * 2 ** 20);
	t.is(said, '\ropenvmm: fetches its layers: 0 % of 100.0 MB\x1b[K', 'not more often than anybody reads');
	said = '';
	time = 2000;
	line.show('download', 20 * 2 ** 20, 100 * 2 ** 20);
	t.is(said, '\ropenvmm: fetches its layers: 20 % of 100.0 MB, 8 s left\x1b[K');
	said = '';
	line.show('unpack', 0, 0);
	t.is(said, '\ropenvmm: unpacks them\x1b[K');
	line.end();
	t.true(said.endsWith('\r\x1b[K'));
});

test('elsewhere each step has one line', (t) => {
	const said: string[] = [];
	const line = imageProgress(false, (text) => void said.push(text));
	for (const done of [0, 1, 2]) line.show('download', done, 2 ** 21);
	line.show('write', 0, 0);
	line.end();
	t.deepEqual(said, ['openvmm: fetches its layers (2.0 MB)\n', 'openvmm: writes its root\n']);
});
