import {type ChildProcess, spawn, spawnSync} from 'node:child_process';
import {
	chmodSync,
	chownSync,
	copyFileSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import {copyFile, open as openFile} from 'node:fs/promises';
import {constants, tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {text} from 'node:stream/consumers';
import {setTimeout as sleep} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {loaderOf} from '#support/host';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const launcher = join(root, 'src/main/cli/launcher.mjs');
const newNode = process.execPath;
/** The machine's own node, where that is older than ours. */
const oldNode = ['/usr/bin/node', '/usr/local/bin/node'].find((path) => existsSync(path) && major(path) < 24);
const withOldNode = oldNode === undefined ? test.skip : test;

function major(node: string): number {
	return Number(/^v(\d+)/.exec(spawnSync(node, ['--version'], {encoding: 'utf8'}).stdout ?? '')?.[1] ?? 99);
}

const directory = mkdtempSync(join(tmpdir(), 'openvmm-launcher-'));
test.after.always(() => rmSync(directory, {recursive: true}));
/** As a user has it: AVA has a place of its own for compiled code. */
const {NODE_COMPILE_CACHE: _, ...usual} = process.env;
const env = {...usual, XDG_CACHE_HOME: join(directory, 'cache')};

/**
 * A package made of the launcher and a program, with or without the runtime package and koffi.
 * @returns the launcher in it
 */
function packageWith(name: string, program: string, modules: readonly string[]): string {
	const at = join(directory, name);
	mkdirSync(join(at, 'dist'), {recursive: true});
	mkdirSync(join(at, 'node_modules'));
	for (const file of ['src/main/cli/launcher.mjs', 'src/support/host/host-obstacle.mjs']) {
		mkdirSync(dirname(join(at, file)), {recursive: true});
		copyFileSync(join(root, file), join(at, file));
	}
	writeFileSync(join(at, 'package.json'), '{"name": "openvmm", "type": "module"}');
	writeFileSync(join(at, 'dist/openvmm.js'), program);
	for (const module of modules) symlinkSync(join(root, 'node_modules', module), join(at, 'node_modules', module));
	return join(at, 'src/main/cli/launcher.mjs');
}

const runtimePackage = `node-linux-${process.arch}`;
/** Says who runs it and with what, echoes its input, and ends with status 7. */
const echo = `
import {text} from 'node:stream/consumers';
export async function program(words) {
	const input = await text(process.stdin);
	console.log(JSON.stringify({major: parseInt(process.versions.node), pid: process.pid, words, input}));
	console.error('error stream');
	return 7;
}
`;
/** Waits for a signal and says which. */
const wait = `
export const program = () => new Promise((resolve) => {
	for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGALRM', 'SIGTSTP']) process.on(signal, () => { console.log(signal); resolve(9); });
	console.log('ready');
	setInterval(() => {}, 1000);
});
`;

async function finished(child: ChildProcess) {
	const [stdout, stderr] = await Promise.all([
		child.stdout ? text(child.stdout) : '',
		child.stderr ? text(child.stderr) : '',
		new Promise((resolve) => child.once('close', resolve)),
	]);
	return {stdout, stderr, status: child.exitCode, signal: child.signalCode};
}

function launch(node: string, at: string, words: readonly string[], input = '') {
	const child = spawn(node, [at, ...words], {env});
	child.stdin.end(input);
	return {pid: child.pid, result: finished(child)};
}

test('a new node runs the program in its own process', async (t) => {
	const at = packageWith('new', echo, []);
	const {pid, result} = launch(newNode, at, ['-p', '2', 'a b'], 'typed');
	const {stdout, stderr, status} = await result;
	t.deepEqual(JSON.parse(stdout), {major: major(newNode), pid, words: ['-p', '2', 'a b'], input: 'typed'});
	t.is(stderr, 'error stream\n');
	t.is(status, 7);
	t.true(existsSync(join(directory, 'cache/openvmm/compile-cache')));
});

/** Says how many threads Node's pool has. */
const pool = `
import {readFile, readdir} from 'node:fs/promises';
export async function program() {
	const names = (await readdir('/proc/self/task')).map((task) => readFile('/proc/self/task/' + task + '/comm', 'utf8'));
	console.log((await Promise.all(names)).filter((name) => name === 'libuv-worker\\n').length);
	return 0;
}
`;

test("Node's pool has threads beside those that a few hanging disks keep, or as many as the user wants", async (t) => {
	const at = packageWith('pool', pool, []);
	const {UV_THREADPOOL_SIZE: __, ...unsaid}: NodeJS.ProcessEnv = env;
	const threads = async (more: NodeJS.ProcessEnv) =>
		(await finished(spawn(newNode, [at], {env: {...unsaid, ...more}}))).stdout;
	t.is(await threads({}), '16\n');
	t.is(await threads({UV_THREADPOOL_SIZE: '6'}), '6\n');
});

test('code is kept in no folder that another user owns or may write to', async (t) => {
	const at = packageWith('shared', echo, []);
	const kept = async (change: (cache: string) => void) => {
		const cache = mkdtempSync(join(directory, 'cache-of-others-'));
		change(cache);
		const {status} = await finished(spawn(newNode, [at], {env: {...env, XDG_CACHE_HOME: cache}, stdio: 'ignore'}));
		t.is(status, 7);
		return readdirSync(join(cache, 'openvmm/compile-cache')).length > 0;
	};
	t.true(await kept(() => {}));
	t.false(await kept((cache) => chmodSync(cache, 0o777)));
	t.false(
		await kept((cache) => {
			mkdirSync(join(cache, 'openvmm/compile-cache'), {recursive: true});
			chmodSync(join(cache, 'openvmm'), 0o775);
		}),
	);
	if (process.geteuid?.() !== 0) return;
	t.false(
		await kept((cache) => {
			mkdirSync(join(cache, 'openvmm'));
			chownSync(join(cache, 'openvmm'), 65534, 65534);
		}),
	);
});

withOldNode('an old node becomes the runtime package, in the same process with the same streams', async (t) => {
	const at = packageWith('exec', echo, [runtimePackage, 'koffi', '@koromix']);
	const {pid, result} = launch(oldNode ?? '', at, ['-p', '2', ''], 'typed');
	const {stdout, stderr, status} = await result;
	t.deepEqual(JSON.parse(stdout), {major: 24, pid, words: ['-p', '2', ''], input: 'typed'});
	t.is(stderr, 'error stream\n');
	t.is(status, 7);
});

withOldNode('without koffi an old node runs the runtime package as a child', async (t) => {
	const at = packageWith('spawn', echo, [runtimePackage]);
	const {stdout, stderr, status} = await launch(oldNode ?? '', at, ['x'], 'typed').result;
	t.like(JSON.parse(stdout), {major: 24, words: ['x'], input: 'typed'});
	t.is(stderr, 'error stream\n');
	t.is(status, 7);
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGALRM', 'SIGTSTP'] as const) {
	for (const modules of [[runtimePackage, 'koffi', '@koromix'], [runtimePackage]]) {
		withOldNode(`${signal} reaches the program through an old node with ${modules.join(', ')}`, async (t) => {
			const at = packageWith(`${signal}-${modules.length}`, wait, modules);
			const child = spawn(oldNode ?? '', [at], {env});
			child.stdout.once('data', () => child.kill(signal));
			const {stdout, status} = await finished(child);
			t.is(stdout, `ready\n${signal}\n`);
			t.is(status, 9);
		});
	}
}

/** Sockets on which a process listens for TCP (proc(5)). */
function listeners(pid: number): string[] {
	const listening = ['tcp', 'tcp6'].flatMap((protocol) =>
		readFileSync(`/proc/${pid}/net/${protocol}`, 'latin1')
			.split('\n')
			.map((line) => line.trim().split(/\s+/))
			.filter(([, , , state]) => state === '0A')
			.map((fields) => `socket:[${fields[9]}]`),
	);
	return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
		try {
			return [readlinkSync(`/proc/${pid}/fd/${fd}`)].filter((target) => listening.includes(target));
		} catch {
			return [];
		}
	});
}

/** A process handles SIGUSR1, or has it blocked: until then, in its first milliseconds, it would die of it. */
function survives(pid: number): boolean {
	const status = readFileSync(`/proc/${pid}/status`, 'latin1');
	const bits = [...status.matchAll(/^Sig(?:Blk|Cgt):\s*([0-9a-f]+)$/gm)].map(([, mask]) => BigInt(`0x${mask}`));
	return bits.some((mask) => ((mask >> BigInt(constants.signals.SIGUSR1 - 1)) & 1n) === 1n);
}

const runtimes: [string, string | undefined, readonly string[]][] = [
	['a new node', newNode, []],
	['the runtime package', oldNode, [runtimePackage, 'koffi', '@koromix']],
	['the runtime package as a child', oldNode, [runtimePackage]],
];
for (const [what, node, modules] of runtimes) {
	(node === undefined ? test.skip : test.serial)(`SIGUSR1 opens no port and ends nothing, with ${what}`, async (t) => {
		const at = packageWith(`usr1-${what.replaceAll(' ', '-')}`, wait, modules);
		const child = spawn(node ?? '', [at], {env});
		const pid = child.pid ?? 0;
		while (!survives(pid)) await sleep(0);
		const sending = setInterval(() => process.kill(pid, 'SIGUSR1'), 1);
		t.teardown(() => {
			clearInterval(sending);
			child.kill();
		});
		const ended = finished(child);
		await new Promise((resolve) => child.stdout.once('data', resolve));
		const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').map(Number);
		const all = [pid, ...children.filter((one) => one !== 0)];
		for (const one of all) process.kill(one, 'SIGUSR1');
		// A signal before the launcher's first line does open it for a moment, and somewhat late.
		await sleep(2000);
		for (const one of all) t.deepEqual(listeners(one), []);
		clearInterval(sending);
		child.kill('SIGTERM');
		t.like(await ended, {stdout: 'ready\nSIGTERM\n', status: 9});
	});
}

withOldNode('a program that dies of a signal makes the launcher die of it', async (t) => {
	const at = packageWith('dies', "export const program = () => process.kill(process.pid, 'SIGKILL');", [
		runtimePackage,
	]);
	const {signal} = await launch(oldNode ?? '', at, []).result;
	t.is(signal, 'SIGKILL');
});

withOldNode('an old node without the runtime package says what to do in one line', async (t) => {
	const at = packageWith('none', echo, []);
	const {stdout, stderr, status} = await launch(oldNode ?? '', at, []).result;
	t.is(stdout, '');
	t.regex(stderr, /^openvmm: Node\.js 24 or newer is needed, this is v\d+\.\d+\.\d+, .*Install again.*\n$/);
	t.is(status, 1);
});

/**
 * The same Node.js with the loader's name that musl has, beside which it has to be run: a name is all that tells which C library
 * a program is made for.
 */
async function muslNode(node: string, at: string): Promise<string> {
	const program = join(at, 'node');
	await copyFile(node, program);
	await using file = await openFile(program, 'r+');
	const {buffer: head} = await file.read(Buffer.alloc(4096), 0, 4096, 0);
	const loader = loaderOf(program) ?? '';
	const name = 'ld-musl-x86_64.so.1';
	await file.write(Buffer.from(name.padEnd(loader.length, '\0'), 'latin1'), 0, loader.length, head.indexOf(loader));
	symlinkSync(loader, join(at, name));
	return program;
}

for (const [what, node] of [
	['a new', newNode],
	['an old', oldNode],
] as const) {
	(node === undefined ? test.skip : test)(`${what} node for musl is refused in one line`, async (t) => {
		const at = packageWith(`musl-${what.replace(' ', '-')}`, echo, [runtimePackage]);
		const cwd = dirname(at);
		const child = spawn(await muslNode(node ?? '', cwd), [at, '-p', '2'], {env, cwd});
		const {stdout, stderr, status} = await finished(child);
		t.is(stdout, '');
		t.regex(
			stderr,
			/^openvmm: This Node\.js v\d+\.\d+\.\d+ is made for the C library musl \(ld-musl-.*\[HOST_LIBC\]\n$/,
		);
		t.is(status, 4);
	});
}

test('a new node for musl runs what boots nothing, such as the doctor', async (t) => {
	const at = packageWith('musl-doctor', echo, []);
	const cwd = dirname(at);
	const child = spawn(await muslNode(newNode, cwd), [at, 'doctor'], {env, cwd});
	child.stdin.end('');
	const {stdout, status} = await finished(child);
	t.like(JSON.parse(stdout), {words: ['doctor']});
	t.is(status, 7);
});

test('without a build the launcher runs the sources', async (t) => {
	const at = packageWith('source', '', []);
	rmSync(join(dirname(at), '../../../dist'), {recursive: true});
	const source = "export async function program(words: readonly string[]) { console.log('from source'); return 0; }\n";
	writeFileSync(join(dirname(at), 'program.ts'), source);
	t.is((await launch(newNode, at, []).result).stdout, 'from source\n');
});

test('the launcher of this checkout prints the help', async (t) => {
	const {stdout, status} = await launch(newNode, launcher, ['--help']).result;
	t.regex(stdout, /^openvmm: boots virtual machines/);
	t.is(status, 0);
});
