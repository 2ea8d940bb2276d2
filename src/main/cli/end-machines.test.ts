import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {runOpenvmm} from './testing/run-openvmm.ts';

const directory = mkdtempSync(join(tmpdir(), 'openvmm-end-'));
test.after.always(() => rmSync(directory, {recursive: true}));
const fixture = fileURLToPath(new URL('./testing/named-machine.ts', import.meta.url));
const openvmm = (...words: string[]) => runOpenvmm(directory, words);
const folders = () => readdirSync(join(directory, `openvmm-${process.getuid?.()}`)).sort();

/** A pretended machine in a process of its own, when it can be reached. */
async function machine(t: ExecutionContext, ...words: string[]): Promise<ChildProcess> {
	const child = spawn(process.execPath, ['--import=tsx', fixture, ...words], {
		env: {...process.env, XDG_RUNTIME_DIR: directory},
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	t.teardown(() => child.kill('SIGKILL'));
	await once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data');
	return child;
}

test.serial('machines that obey the button end by it, one that is deaf to it in the end all the same', async (t) => {
	const both = await Promise.all([machine(t, 'calm', 'obeys'), machine(t, 'deaf', 'deaf')]);
	const ends = both.map((child) => once(child, 'exit'));
	t.deepEqual(await openvmm('stop', '--time', '300', 'calm'), {stdout: 'calm\n', stderr: '', status: 0});
	const {stdout, stderr, status} = await openvmm('stop', '--time', '1', 'deaf');
	t.is(stdout, 'deaf\n');
	t.regex(
		stderr,
		/^openvmm: The machine "deaf" did not shut down in 1 s, and was ended\. .*\[CONTROL_MACHINE_FORCED\]\n$/,
	);
	t.is(status, 13);
	t.deepEqual(await Promise.all(ends), [
		[0, null],
		[0, null],
	]);
	t.deepEqual(folders(), []);
});

test.serial('a guest that goes before anybody is answered has not been forced', async (t) => {
	const end = once(await machine(t, 'quick', 'goes'), 'exit');
	t.deepEqual(await openvmm('stop', '--time', '300', 'quick'), {stdout: 'quick\n', stderr: '', status: 0});
	t.deepEqual(await end, [0, null]);
});

test.serial('a machine that is paused goes on, to see the button', async (t) => {
	const child = await machine(t, 'paused', 'obeys');
	const end = once(child, 'exit');
	t.is((await openvmm('pause', 'paused')).status, 0);
	t.regex((await openvmm('ps')).stdout, /paused +- +paused /);
	const stopped = await openvmm('stop', 'paused', '--time', '300', '--json');
	t.deepEqual(JSON.parse(stopped.stdout), [{name: 'paused', by: 'power-button'}]);
	t.is(stopped.status, 0);
	t.deepEqual(await end, [0, null]);
});

test.serial('one that is unknown does not keep the others, and its status counts', async (t) => {
	await machine(t, 'there', 'obeys', 'keeps');
	const result = await openvmm('stop', 'nobody', 'there');
	t.is(result.stdout, 'there\n');
	t.regex(result.stderr, /^openvmm: No machine "nobody" is running\. .*\[CONTROL_MACHINE_UNKNOWN\]\n$/);
	t.is(result.status, 9);
	const again = await openvmm('stop', 'there', '--json');
	t.deepEqual(JSON.parse(again.stdout), [{name: 'there', by: 'itself'}]);
	t.is(again.status, 0);
	t.regex((await openvmm('kill', 'there')).stderr, /"there" has ended with status 0/);
	t.deepEqual(folders(), ['there']);
	t.regex((await openvmm('ps', '-a')).stdout, /there .* ended \(0\)/);
	t.is((await openvmm('rm', 'there')).stdout, 'there\n');
	t.deepEqual(folders(), []);
});

test.serial('a process that hangs is killed, and what is kept of it says so', async (t) => {
	const child = await machine(t, 'stuck', 'hangs', 'keeps');
	const end = once(child, 'exit');
	const killing = openvmm('kill', 'stuck');
	t.deepEqual(await end, [null, 'SIGKILL']);
	t.is((await killing).status, 0);
	t.regex((await openvmm('ps', '--all')).stdout, /stuck .* ended \(137\)/);
	t.is((await openvmm('rm', 'stuck')).status, 0);
});

test.serial('a machine that runs is removed by force alone', async (t) => {
	const child = await machine(t, 'busy', 'deaf');
	const end = once(child, 'exit');
	t.is((await openvmm('rm', 'busy')).status, 9);
	t.regex(
		(await openvmm('pause')).stderr,
		/NAME is missing\. See openvmm pause --help; of your machines run: busy\. \[/,
	);
	t.regex(
		(await openvmm('inspect', 'vm/state')).stderr,
		/"vm\/state" is running\. A name comes before all else\. There is busy \(/,
	);
	t.is((await openvmm('rm', '--force', 'busy')).status, 0);
	await end;
	t.deepEqual(folders(), []);
	t.regex((await openvmm('stop')).stderr, /NAME is missing\. See openvmm stop --help; of your machines none runs\. \[/);
});
