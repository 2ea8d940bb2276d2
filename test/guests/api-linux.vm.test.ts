import {mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {get, type IncomingMessage} from 'node:http';
import {createConnection} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {VM} from '#main/api';
import {ControlClient, serveControl} from '#main/control';
import {memoryFolder} from '#main/folders';
import {linuxTest} from '#test/petri';
import {debianMachine, endsWith, testFolder} from './testing/api-machine.ts';
import {openvmmProgram} from './testing/openvmm-program.ts';

/** Machines have their folders below one of this file's own, so that those of others do not count. */
const place = mkdtempSync(join(tmpdir(), 'openvmm-api-test-'));
process.env['TMPDIR'] = place;
test.after.always(() => rmSync(place, {recursive: true, force: true}));

/** Folders of machines that there are: each has one. */
const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith('openvmm-vm-'));
const ended = (vm: VM) => vm[Symbol.asyncDispose]();

linuxTest('a program runs commands, has files and ports, forks its machine, and each goes on by itself', async (t) => {
	const before = folders();
	const told: string[] = [];
	const [shared, captures] = [testFolder(t, 'shared'), testFolder(t, 'captures')];
	const captured = (name: string) => join(captures, name);
	writeFileSync(join(shared, 'from-host'), 'of the host');
	const made = memoryFolder({'note.txt': 'of the program\n'});
	const vm = await VM.create(
		debianMachine(t, {
			name: 'web',
			files: {'/srv/greeting': 'hello\n', '/srv/bytes': Uint8Array.of(0, 255)},
			folders: {'/mnt/shared': shared, '/mnt/read': {folder: shared, readOnly: true}, '/mnt/made': {folder: made}},
			log: (said) => void told.push(said),
			network: {capture: captured('web')},
		}),
	);
	endsWith(t, vm);
	t.deepEqual(await vm.exec('cat /srv/greeting; hostname; echo no >&2; exit 3'), {
		exitCode: 3,
		signal: undefined,
		stdout: 'hello\nweb\n',
		stderr: 'no\n',
	});
	// Drivers for what the machine does not have are in its initial file system too.
	const {stdout: log} = await vm.exec('dmesg', {check: true});
	t.is(log.match(/.*(?:Unknown symbol|cannot load).*/g), null);
	const failed = await t.throwsAsync(vm.exec(['/bin/busybox', 'ls', '/none'], {check: true}), {code: 'VM_EXEC_FAILED'});
	t.regex(failed?.message ?? '', /busybox ls \/none ended with status 1 in web: .*No such file/);
	await t.throwsAsync(vm.exec(['/no/program']), {code: 'AGENT_FAILED'});
	const {stdout} = await vm.exec('od -An -tx1 /srv/bytes; cat', {input: 'given', env: {A: 'b'}, output: 'bytes'});
	t.is(`${Buffer.from(stdout)}`, ' 00 ff\ngiven');
	t.is((await vm.exec('kill -KILL $$')).signal, 'SIGKILL');
	const asked = new AbortController();
	const hanging = vm.exec('echo begun >/dev/console; sleep 100000', {signal: asked.signal});
	await vm.console.find('begun', {timeout: Number.POSITIVE_INFINITY});
	asked.abort(new Error('enough'));
	await t.throwsAsync(hanging, {code: 'OPERATION_ABORTED', message: /exec .*enough/});
	t.regex(told.join(''), /begun/);
	// It is over in the guest too, with what it had begun; a zombie of it for as long as nobody has taken it.
	while ((await vm.exec('pidof sleep')).exitCode === 0) await sleep(50);

	await vm.exec('cp /mnt/read/from-host /mnt/shared/from-guest', {check: true});
	t.is(readFileSync(join(shared, 'from-guest'), 'utf8'), 'of the host');
	t.not((await vm.exec('touch /mnt/read/it')).exitCode, 0);
	t.is((await vm.exec('cat /mnt/made/note.txt; echo answer >/mnt/made/answer')).stdout, 'of the program\n');
	t.is(`${Buffer.from(await made.readFile('/answer'))}`, 'answer\n');

	await vm.files.utimes('/srv/bytes', 1_000_000_000_123, 2000);
	const {atimeMs, mtimeMs} = await vm.files.stat('/srv/bytes');
	t.deepEqual([atimeMs, mtimeMs], [1_000_000_000_123, 2000]);
	// A watch is over in the guest too when its loop is left, and when it is given up.
	const watches = async () => Number((await vm.exec('ls -l /proc/1/fd | grep -c inotify')).stdout);
	const first = async () => {
		for await (const {name} of vm.files.watch('/srv')) return name;
		return undefined;
	};
	const seen = first();
	let isSeen = false;
	void seen.finally(() => (isSeen = true));
	while (!isSeen) await vm.exec('rm -f /srv/new; touch /srv/new', {check: true});
	t.is(await seen, 'new');
	while ((await watches()) !== 0) await sleep(50);
	const enough = new AbortController();
	const event = vm.files.watch('/srv', {signal: enough.signal})[Symbol.asyncIterator]().next();
	while ((await watches()) === 0) await sleep(50);
	enough.abort(new Error('enough'));
	await t.throwsAsync(event, {code: 'OPERATION_ABORTED', message: /files\.watch .*enough/});
	while ((await watches()) !== 0) await sleep(50);

	// A command that goes on in every fork, each counting for itself.
	await using counting = await vm.spawn('n=0; while read line; do n=$((n + 1)); echo $n $line; done');
	counting.stdin.write('a\n');
	for await (const bytes of counting.stdout) {
		t.is(`${Buffer.from(bytes)}`, '1 a\n');
		break;
	}

	await t.throwsAsync(vm.forward(70_000, 8080), {code: 'VM_OPTION_INVALID', message: /hostPort/});
	await t.throwsAsync(vm.forward(0, 0), {code: 'VM_OPTION_INVALID', message: /to is 0/});
	const forward = await vm.forward(0, 8080);
	await vm.exec('mkdir /www; echo page >/www/index.html; httpd -p 127.0.0.1:8080 -h /www', {check: true});
	t.is(await page(forward.port), 'page\n');
	const open = new AbortController();
	const other = await vm.forward(0, 8080, {signal: open.signal});
	t.is(await page(other.port), 'page\n');
	open.abort();
	await t.throwsAsync(connected(other.port), {code: 'ECONNREFUSED'});
	for (const work of [
		(signal: AbortSignal) => vm.forward(0, 8080, {signal}),
		(signal: AbortSignal) => vm.files.read('/srv/greeting', {signal}),
		(signal: AbortSignal) => vm.guest({signal}),
	])
		await t.throwsAsync(work(AbortSignal.abort()), {code: 'OPERATION_ABORTED'});

	// Whoever has it stand still: its date is right again when it goes on.
	const isPast = async () => Number((await vm.exec('date +%s', {check: true})).stdout) < Date.UTC(2020) / 1000;
	const past = () => vm.exec('date -s @1000000000', {check: true});
	await past();
	t.true(await isPast());
	await vm.pause();
	await vm.resume();
	t.false(await isPast());
	process.env['XDG_RUNTIME_DIR'] = place;
	const served = await vm.serve();
	const client = await ControlClient.connect(served.path);
	const openvmm = openvmmProgram(process.env);
	const run = await openvmm(['exec', '-i', 'web', 'sh', '-c', 'cat; hostname; exit 4'], {input: 'typed\n'});
	t.deepEqual(run, {stdout: 'typed\nweb\n', stderr: '', status: 4}, 'other processes run commands in it');
	const copied = join(testFolder(t, 'copied'), 'greeting');
	t.is((await openvmm(['cp', 'web:/srv/greeting', copied])).status, 0);
	t.is(readFileSync(copied, 'utf8'), 'hello\n');
	t.regex((await openvmm(['ps'])).stdout, /^web /m);
	const {stdout: kept} = await openvmm(['logs', 'web']);
	t.regex(kept, /begun/, 'what it said before it had a name, too');
	t.true(told.join('').startsWith(kept));
	const reading = vm.exec('read line </dev/console; echo "read: $line" >/dev/console', {check: true});
	const attached = openvmm(['attach', 'web'], {input: 'of a person\n'});
	await reading;
	await vm.console.find('read: of a person');
	await past();
	await client.call('pause');
	await client.call('resume');
	while (await isPast()) await sleep(50);

	await past();
	await t.throwsAsync(vm.fork(1), {code: 'NETWORK_CAPTURE_UNUSABLE'}, 'a file is one machine’s');
	const forks = await vm.fork(2, {network: (index) => ({capture: captured(`fork${index}`)})});
	while (await isPast()) await sleep(50);
	for (const fork of forks) endsWith(t, fork);
	t.deepEqual(
		forks.map(({name}) => name),
		['web-2', 'web-3'],
	);
	const [one, two] = forks as [VM, VM];
	await one.files.write('/srv/greeting', 'one\n');
	await two.exec('echo two >/srv/greeting', {check: true});
	const all = [vm, one, two];
	t.deepEqual(await Promise.all(all.map((each) => each.files.readText('/srv/greeting'))), [
		'hello\n',
		'one\n',
		'two\n',
	]);
	const ids = await Promise.all(all.map(async (each) => (await each.exec('cat /proc/sys/kernel/random/uuid')).stdout));
	t.is(new Set(ids).size, 3, 'each has random numbers of its own');
	const boots = await Promise.all(all.map(async (each) => (await each.guest()).bootId));
	t.is(new Set(boots).size, 1, 'and none has booted');
	t.is((await one.exec('cat /mnt/read/from-host /mnt/made/answer')).stdout, 'of the hostanswer\n', 'folders are all’s');
	await two.exec('echo two >/mnt/shared/from-fork', {check: true});
	t.is(readFileSync(join(shared, 'from-fork'), 'utf8'), 'two\n');
	// Each has a network of its own, which answers.
	for (const fork of forks) t.is((await fork.exec('ping -c 1 10.0.0.1')).exitCode, 0, fork.name);
	for (const index of [0, 1]) t.true(statSync(captured(`fork${index}`)).size > 0);
	// The server that ran when they were made runs in each.
	await two.exec('echo changed >/www/index.html', {check: true});
	const ports = await Promise.all(all.map((each) => each.forward(0, 8080)));
	t.deepEqual(await Promise.all(ports.map(({port}) => page(port))), ['page\n', 'page\n', 'changed\n']);

	const silent = await serveControl(one.machine, {name: 'silent'});
	t.regex((await openvmm(['logs', 'silent'])).stderr, /\[CLI_NO_CONSOLE\]/, 'which is the program’s');
	silent.close();
	await one.stop({timeout: Number.POSITIVE_INFINITY});
	t.deepEqual(await one.ended, {kind: 'power-off'});
	await t.throwsAsync(one.exec('true'), {code: 'VM_STOPPED_AGENT'});
	await ended(two);
	t.deepEqual(await two.ended, {kind: 'stopped'});
	t.is((await vm.exec('cat /srv/greeting')).stdout, 'hello\n');
	// As `openvmm stop` of another process has it.
	t.deepEqual(await client.call('shut-down', {withinMs: 600_000}), {by: 'agent'});
	t.deepEqual(await vm.ended, {kind: 'power-off'});
	client.close();
	await ended(vm);
	const {stdout: shown, status} = await attached;
	t.is(status, 0);
	t.regex(shown, /^read: of a person/m);
	t.true(told.join('').endsWith(shown), 'who is attached sees the last of it');
	t.notRegex((await openvmm(['ps', '--all'])).stdout, /^web /m);
	await t.throwsAsync(connected(forward.port), {code: 'ECONNREFUSED'});
	t.deepEqual(folders(), before);
});

linuxTest(
	'a guest that starts again has its folders and files before it is used, in a fork too, and nobody waits for it longer than was asked',
	async (t) => {
		const shared = testFolder(t, 'again');
		writeFileSync(join(shared, 'from-host'), 'of the host\n');
		const files = {'/srv/greeting': 'hello\n'};
		const vm = endsWith(
			t,
			await VM.create(debianMachine(t, {network: false, folders: {'/mnt/shared': shared}, files})),
		);
		const boots = [(await vm.guest()).bootId];
		const isWhole = async (of: VM, how: string) => {
			t.is((await of.exec('cat /mnt/shared/from-host /srv/greeting')).stdout, 'of the host\nhello\n', how);
			boots.push((await of.guest()).bootId);
			t.is(new Set(boots).size, boots.length, how);
		};
		await vm.exec('echo changed >/srv/greeting', {check: true});
		await vm.pause();
		await vm.machine.reset();
		// A guest that is not there yet, and will not be.
		for (const work of [() => vm.exec('true', {timeout: 50}), () => vm.spawn('true', {timeout: 50})])
			await t.throwsAsync<Error>(work, {code: 'AGENT_TIMEOUT', message: /did not begin within 50 ms/});
		const asked = new AbortController();
		const deaf = vm.machine.listenToResumes(() => setImmediate(() => asked.abort(new Error('enough'))));
		await t.throwsAsync(vm.resume({signal: asked.signal}), {code: 'OPERATION_ABORTED', message: /enough/});
		deaf();
		t.is(vm.machine.state, 'running', 'it goes on all the same');
		await isWhole(vm, 'a reset');
		await t.throwsAsync(vm.exec('reboot -f; sleep 100000'), {code: 'AGENT_CLOSED'});
		await isWhole(vm, 'a reboot');

		const [fork] = (await vm.fork(1)) as [VM];
		endsWith(t, fork);
		await vm.stop();
		t.is((await fork.exec('echo changed >/srv/greeting; cat /srv/greeting')).stdout, 'changed\n');
		await fork.machine.reset();
		await isWhole(fork, 'a reset of a fork, whose first machine is gone');
		await ended(fork);

		// A port of a console stays open while its guest starts again.
		const other = endsWith(t, await VM.create(debianMachine(t, {network: false, agent: 'console', files})));
		await t.throwsAsync(other.exec('reboot -f; sleep 100000'), {
			code: 'AGENT_CLOSED',
			message: /the guest starts again/,
		});
		t.is(await other.files.readText('/srv/greeting'), 'hello\n');
	},
);

/** What this process holds of its host: descriptors by what they are, of which machines have memory, sockets, pipes, events. */
function held(): Readonly<Record<string, number>> {
	const kinds = readdirSync('/proc/self/fd').map((fd) => {
		try {
			return readlinkSync(`/proc/self/fd/${fd}`)
				.replace(/[:[(].*$/, '')
				.replace(/^\/(?!memfd).*/, 'file');
		} catch {
			return 'gone';
		}
	});
	const counts: Record<string, number> = {threads: readdirSync('/proc/self/task').length};
	for (const kind of kinds) if (kind !== 'gone') counts[kind] = (counts[kind] ?? 0) + 1;
	return counts;
}

linuxTest('a machine that is given up while it boots, or does not answer in time, leaves nothing', async (t) => {
	const before = folders();
	const asked = new AbortController();
	const progress = (step: string) => void (step === 'boot' && setImmediate(() => asked.abort(new Error('enough'))));
	await t.throwsAsync(VM.create(debianMachine(t, {signal: asked.signal, progress})), {
		code: 'OPERATION_ABORTED',
		message: /enough/,
	});
	const late = await t.throwsAsync(VM.create(debianMachine(t, {startTimeout: 1, name: 'slow'})), {
		code: 'VM_START_TIMEOUT',
	});
	const first = held();
	for (const at of ['machine', 'boot'] as const) {
		const again = new AbortController();
		const step = (now: string) => void (now === at && again.abort(new Error(at)));
		const given = {signal: again.signal, progress: step};
		await t.throwsAsync(VM.create(debianMachine(t, given)), {code: 'OPERATION_ABORTED', message: new RegExp(at)});
	}
	t.regex(late?.message ?? '', /slow was not ready within 0\.001 seconds/);
	const ends = await t.throwsAsync(VM.create(debianMachine(t, {commandLine: ['rdinit=/none', 'root=/dev/none']})), {
		code: 'VM_START_ENDED',
	});
	t.regex(ends?.message ?? '', /ended before it was ready \(.*\)\. Its console at last:\n.*/s);
	// Threads end, and descriptors close, a while after who used them.
	const more = () => Object.entries(held()).filter(([kind, count]) => count > (first[kind] ?? 0));
	for (let wait = 0; wait < 300 && more().length > 0; wait++) await sleep(100);
	t.deepEqual(more(), [], JSON.stringify(first));
	t.deepEqual(folders(), before);
});

async function page(port: number): Promise<string> {
	const response = await new Promise<IncomingMessage>((resolve, reject) => {
		get({host: '127.0.0.1', port, agent: false}, resolve).on('error', reject);
	});
	return text(response);
}

function connected(port: number): Promise<void> {
	return new Promise((resolve, reject) => {
		const socket = createConnection({host: '127.0.0.1', port});
		socket.once('connect', () => resolve(void socket.destroy())).once('error', reject);
	});
}
