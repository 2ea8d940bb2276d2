import {spawn} from 'node:child_process';
import {createHash, randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import test, {type ExecutionContext} from 'ava';
import {linuxTest, patience} from '#test/petri';
import {stockFiles} from '#test/stock-kernels';
import {openvmmProgram} from './testing/openvmm-program.ts';

const directory = mkdtempSync(join(tmpdir(), 'openvmm-background-'));
test.after.always(() => rmSync(directory, {recursive: true}));
const env = {...process.env, XDG_RUNTIME_DIR: directory, XDG_CACHE_HOME: join(directory, 'cache'), TMPDIR: directory};
const openvmm = openvmmProgram(env);

/** Words that give a machine Debian's kernel and the tests' initial file system, which has a busybox. */
function guestWords(t: ExecutionContext): string[] {
	t.timeout(600_000);
	const {kernel, initrd} = stockFiles('cloud');
	const cmdline = ['cryptomgr.notests', ...patience].join(' ');
	return ['-m', '512M', '--kernel', kernel, '--initrd', initrd, '--cmdline', cmdline];
}

linuxTest('a machine in the background is used by its name, and keeps its log until it is removed', async (t) => {
	const serve = 'busybox httpd -f -p 127.0.0.1:8080 -h /tmp & echo begun; read line; echo "got $line"; exit 9';
	const decisions = join(directory, 'decisions.jsonl');
	const named = ['--name', 'web', '--decisions', decisions];
	const words = ['run', '-d', '-i', ...named, '-p', '0:8080', ...guestWords(t), '--', 'sh', '-c', serve];
	t.deepEqual(await openvmm(words), {stdout: 'web\n', stderr: '', status: 0});
	const [row] = JSON.parse((await openvmm(['ps', '--json'])).stdout);
	t.like(row, {name: 'web', state: 'running', processors: 1, memoryBytes: 512 * 2 ** 20});
	t.regex((await openvmm(['run', '--name', 'web', '--', 'true'])).stderr, /There is a machine "web" already/);

	t.deepEqual(
		await openvmm(['exec', '-i', '-e', 'X=y', '-w', '/tmp', 'web', 'sh', '-c', 'busybox cat; echo $X; pwd; exit 5'], {
			input: 'in\n',
		}),
		{
			stdout: 'in\ny\n/tmp\n',
			stderr: '',
			status: 5,
		},
	);
	t.is((await openvmm(['exec', 'web', 'sh', '-c', 'kill -KILL $$'])).status, 137);
	const missing = await openvmm(['exec', 'web', '/no/such']);
	t.is(missing.status, 127);
	t.regex(missing.stderr, /^openvmm: .*\/no\/such.*\[AGENT_FAILED\]\n$/);
	t.is((await openvmm(['exec', 'web', '/tmp'])).status, 126);
	t.is((await openvmm(['exec', 'nobody', 'true'])).status, 125);
	t.is((await openvmm(['exec', 'web', 'busybox', 'wget', '-q', '-O', '-', 'http://10.0.0.1:81/'])).status, 1);

	const tree = join(directory, 'tree');
	mkdirSync(join(tree, 'inner'), {recursive: true});
	const bytes = Buffer.alloc(300_000, 'bytes of a file ');
	writeFileSync(join(tree, 'inner/file'), bytes, {mode: 0o750});
	t.deepEqual(await openvmm(['cp', tree, 'web:/tmp']), {stdout: '', stderr: '', status: 0});
	t.is((await openvmm(['exec', 'web', 'busybox', 'stat', '-c', '%a', '/tmp/tree/inner/file'])).stdout, '750\n');
	t.is((await openvmm(['cp', 'web:/tmp/tree', join(directory, 'back')])).status, 0);
	t.true(readFileSync(join(directory, 'back/inner/file')).equals(bytes));
	const archive = await openvmm(['cp', 'web:/tmp/tree', '-']);
	t.regex(archive.stdout, /^tree\/\0/);
	t.is((await openvmm(['exec', 'web', 'busybox', 'mkdir', '/tmp/again'])).status, 0);
	t.deepEqual(await openvmm(['cp', '-', 'web:/tmp/again'], {input: archive.stdout}), {
		stdout: '',
		stderr: '',
		status: 0,
	});
	t.is(
		(await openvmm(['exec', 'web', 'busybox', 'cmp', '/tmp/tree/inner/file', '/tmp/again/tree/inner/file'])).status,
		0,
	);
	for (const [from, to, what] of [
		['web:/none', 'x', /there is no \/none/],
		[tree, 'web:tmp', /web:\/tmp/],
		['a', 'b', /NAME:\/path/],
	] as const)
		t.regex((await openvmm(['cp', from, to])).stderr, what);

	const attached = await openvmm(['attach', 'web'], {input: 'line\n'});
	t.regex(attached.stdout, /begun\n[\s\S]*got line\n/);
	t.is(attached.status, 9);
	const decided = JSON.parse(readFileSync(decisions, 'utf8').split('\n')[0] ?? '');
	t.like(decided, {decision: 'refuse', guest: 'web', protocol: 'tcp', address: '10.0.0.1', port: 81});
	t.is((await openvmm(['ps'])).stdout.split('\n').length, 2, 'the titles alone');
	t.regex((await openvmm(['ps', '-a'])).stdout, /web .* ended \(9\)/);
	t.regex((await openvmm(['logs', 'web'])).stdout, /begun\n[\s\S]*got line\n/);
	t.is((await openvmm(['exec', 'web', 'true'])).status, 125);
	t.is((await openvmm(['rm', 'web'])).stdout, 'web\n');
	t.is((await openvmm(['ps', '-a', '-q'])).stdout, '');
});

linuxTest('a machine is stopped by the signal that its command gets', async (t) => {
	const script = 'trap "echo asked; exit 3" TERM; echo begun; while :; do busybox sleep 0.1; echo waits >&2; done';
	await openvmm(['run', '-d', '--name', 'calm', ...guestWords(t), '--', 'sh', '-c', script]);
	const follower = openvmm(['logs', '--follow', 'calm']);
	// Its process in the background has nobody who reads what it writes.
	for (let log = ''; !/waits\nwaits\n/.test(log); log = (await openvmm(['logs', 'calm'])).stdout);
	const stopped = await openvmm(['stop', 'calm', '--time', '300', '--json']);
	t.deepEqual(JSON.parse(stopped.stdout), [{name: 'calm', by: 'command'}]);
	t.is(stopped.status, 0);
	t.regex((await follower).stdout, /begun\n[\s\S]*asked\n/);
	t.regex((await openvmm(['ps', '-a'])).stdout, /calm .* ended \(3\)/);
});

linuxTest(
	'a machine that was saved goes on by the line that says so, with its folders, and with its command',
	async (t) => {
		const [shared, saved] = [join(directory, 'shared'), join(directory, 'saved machine')];
		mkdirSync(shared);
		const script = 'echo $$ >/tmp/pid; while :; do echo line >>/mnt/lines; busybox sleep 0.1; done';
		const words = [
			'--name',
			'first',
			'-v',
			`${shared}:/mnt`,
			'--net',
			'none',
			...guestWords(t),
			'--',
			'sh',
			'-c',
			script,
		];
		t.is((await openvmm(['run', '-d', ...words])).status, 0);
		const exec = (name: string, line: string) => openvmm(['exec', name, 'sh', '-c', line]);
		t.is((await exec('first', 'until [ -s /mnt/lines ]; do busybox sleep 0.1; done; echo kept >/tmp/kept')).status, 0);
		const line = `openvmm run --restore '${saved}' --volume ${shared}:/mnt --net none\n`;
		t.deepEqual(await openvmm(['save-snapshot', 'first', saved]), {stdout: line, stderr: '', status: 0});
		t.is((await openvmm(['kill', 'first'])).status, 0);

		const bare = await openvmm(['restore', saved]);
		t.regex(
			bare.stderr,
			/vsock \(path\), folder0 \(folder\)\. .*openvmm run --restore DIR.*\[SNAPSHOT_HOST_SIDE_MISSING\]\n$/,
		);
		t.is(bare.status, 8);
		for (const [more, why] of [
			[['-m', '1G'], /--restore conflicts with --memory/],
			[['--net', 'none'], /folder0 \(folder\).*SNAPSHOT_HOST_SIDE_MISSING/],
		] as const) {
			const refused = await openvmm(['run', '--restore', saved, ...more, '--', 'true']);
			t.regex(refused.stderr, why);
			t.is(refused.status, 125);
		}

		writeFileSync(join(shared, 'lines'), '');
		const again = ['run', '-d', '--restore', saved, '-v', `${shared}:/mnt`, '--name', 'again'];
		t.is((await openvmm([...again, '--', 'busybox', 'sleep', '100000'])).status, 0);
		const goesOn =
			'until [ -s /mnt/lines ]; do busybox sleep 0.1; done; cat /tmp/kept; kill -0 $(cat /tmp/pid) && busybox date +%s';
		const [kept, seconds] = (await exec('again', goesOn.replaceAll('cat', 'busybox cat'))).stdout.split('\n');
		t.is(kept, 'kept');
		t.true(Math.abs(Number(seconds) * 1000 - Date.now()) < 600_000, 'the date is right');
		t.like(JSON.parse((await openvmm(['ps', '--json'])).stdout)[0], {name: 'again', memoryBytes: 512 * 2 ** 20});
		t.is((await openvmm(['kill', 'again'])).status, 0);
	},
);

linuxTest('a command with a terminal has the size of the one that attaches', async (t) => {
	const script = 'echo begun; until busybox stty size | busybox grep "33 101"; do busybox sleep 0.1; done; exit 4';
	await openvmm(['run', '-d', '-i', '-t', '--name', 'sized', ...guestWords(t), '--', 'sh', '-c', script]);
	const child = spawn(
		'script',
		[
			...['--quiet', '--return', '/dev/null', '--command'],
			`stty cols 101 rows 33; exec ${process.execPath} ${join(process.cwd(), 'src/main/cli/launcher.mjs')} attach sized`,
		],
		{env},
	);
	const [shown, [status]] = await Promise.all([text(child.stdout), once(child, 'close')]);
	t.regex(shown, /33 101/);
	t.is(status, 4);
});

linuxTest('a command that does not read yet gets all that is typed meanwhile', async (t) => {
	const typed = randomBytes(1_500_000).toString('hex');
	const read = `busybox head -c ${typed.length} | busybox md5sum; exit 3`;
	const script = `until [ -e /tmp/go ]; do busybox sleep 0.1; done; ${read}`;
	await openvmm(['run', '-d', '-i', '--name', 'slow', ...guestWords(t), '--', 'sh', '-c', script]);
	const attached = openvmm(['attach', 'slow'], {input: typed});
	t.is((await openvmm(['exec', 'slow', 'busybox', 'touch', '/tmp/go'])).status, 0);
	const {stdout, status} = await attached;
	t.regex(stdout, new RegExp(createHash('md5').update(typed).digest('hex')));
	t.is(status, 3);
});

linuxTest('machines on a switch meet by its socket, with the addresses that they are given', async (t) => {
	const socket = join(directory, 'lan');
	const words = (name: string, net: string, ip: string) =>
		['run', '--name', name, '--net', net, '-c', `ip=${ip}:::255.255.255.0`, ...guestWords(t)] as const;
	const serve = 'echo from one >/tmp/index.html; busybox httpd -f -p 80 -h /tmp';
	const began = [...words('one', `switch:lan,listen=${socket}`, '10.7.0.1'), '-d', '--', 'sh', '-c', serve];
	t.deepEqual(await openvmm(began), {stdout: 'one\n', stderr: '', status: 0});
	const ask = 'until busybox wget -q -O - http://10.7.0.1/ 2>/tmp/why; do busybox sleep 0.1; done';
	const asked = await openvmm([...words('two', `stream:connect=${socket}`, '10.7.0.2'), '--', 'sh', '-c', ask]);
	t.deepEqual(asked, {stdout: 'from one\n', stderr: '', status: 0});
	t.is((await openvmm(['stop', 'one', '--time', '300'])).status, 0);
});
