/** What a host says that breaks the rules: the agent answers or ends the connection, and does nothing that C does not define. */
import {execFileSync, spawn} from 'node:child_process';
import {randomInt} from 'node:crypto';
import {once} from 'node:events';
import {chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {Duplex} from 'node:stream';
import test, {type ExecutionContext} from 'ava';
import {agentTargets, builtAgent, checkedFlags, compileAgent, findCompiler} from './index.ts';

const magic = Buffer.from('openvmm-agent/\xfe\xed', 'latin1');
const greeting = Buffer.concat([magic, Buffer.alloc(16, 7), Buffer.from([1, 0, 1, 0, 1, 0, 0, 0])]);
const [OPEN, SIGNAL, DATA, END, CREDIT, RESIZE, CLOSE] = [1, 8, 4, 5, 6, 9, 10];
const operations = {SPAWN: 1, MOST: 19};

function canSandbox(): boolean {
	try {
		execFileSync('bwrap', ['--ro-bind', '/', '/', '--unshare-all', 'true'], {stdio: 'ignore'});
		return process.arch === 'x64';
	} catch {
		return false;
	}
}

/** Devices in the sandbox's `/dev`, which are the host's own: mounts of their own, to be read-only lest their modes and times are changed. */
const devices = ['full', 'null', 'random', 'tty', 'urandom', 'zero'].map((name) => `/dev/${name}`);

const sandboxed = canSandbox() ? test : test.skip;

/** Programs to try: what is committed, and one that ends where C does not say what happens. */
function programs(folder: string): string[] {
	const target = agentTargets[0] as (typeof agentTargets)[number];
	const compiler = findCompiler(target);
	const files = [builtAgent('x86_64')];
	if (compiler !== undefined) {
		const checked = join(folder, 'checked');
		writeFileSync(checked, compileAgent(compiler, target, checkedFlags));
		chmodSync(checked, 0o755);
		files.push(checked);
	}
	return files;
}

/** Starts the agent where it sees a folder of its own and the host's programs, and may change nothing else. */
function startSandbox(program: string, root: string) {
	const shown = ['usr', 'bin', 'lib', 'lib64'].map((name) => `/${name}`).filter(existsSync);
	const words = [
		...[
			'--bind',
			root,
			'/',
			'--proc',
			'/proc',
			'--dev',
			'/dev',
			'--tmpfs',
			'/tmp',
			'--unshare-all',
			'--die-with-parent',
		],
		...devices.flatMap((path) => ['--remount-ro', path]),
		...shown.flatMap((path) => ['--ro-bind', path, path]),
		...['--ro-bind', program, '/agent', '/agent', 'fd:3'],
	];
	const child = spawn('bwrap', words, {stdio: ['ignore', 'ignore', 'inherit', 'pipe']});
	const stream = child.stdio[3] as Duplex;
	stream.on('error', () => {});
	return {stream, exited: once(child, 'exit') as Promise<[number | null, string | null]>};
}

const text = (value: string) =>
	Buffer.concat([Buffer.from([value.length & 255, value.length >> 8]), Buffer.from(value)]);
const u16 = (value: number) => Buffer.from([value & 255, value >> 8]);
const u32 = (value: number) =>
	Buffer.from([value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >>> 24) & 255]);

function frame(channel: number, type: number, flag: number, payload: Uint8Array, length = payload.length): Buffer {
	return Buffer.concat([u32(length), u16(channel), Buffer.from([type, flag]), payload]);
}

const pick = <T>(...all: T[]): T => all[randomInt(all.length)] as T;
const path = () =>
	pick('/tmp/a', '/tmp/b', '/tmp/a/b', '/tmp', '/dev/zero', '/proc/self/maps', '/dev/ptmx', 'relative', '/');
const command = () =>
	pick(['cat'], ['yes'], ['true'], ['nonesuch'], ['sh', '-c', 'yes & yes >&2 & echo $!'], ['sleep', '9'], ['/tmp']);

/** Operands as they should be, by the operation. */
function operands(operation: number): Buffer {
	const mode = u32(pick(0, 0o644, 0o7777, 2 ** 32 - 1));
	const flags = Buffer.from([randomInt(8)]);
	switch (operation) {
		case operations.SPAWN: {
			const words = command();
			const [columns, rows, variables] = [u16(randomInt(300)), u16(randomInt(300)), pick([], ['A=1', 'PATH=/bin'])];
			const user = pick('', 'root', '1:1', 'nobody:nogroup', ':', 'x'.repeat(100));
			const head = [flags, columns, rows, text(user), text(pick('', '/', '/none'))];
			return Buffer.concat([
				...head,
				u16(words.length),
				...words.map(text),
				u16(variables.length),
				...variables.map(text),
			]);
		}
		case 2:
			return Buffer.concat([u32(randomInt(100)), u32(pick(0, 0, 2 ** 31)), text(path())]);
		case 3:
		case 6:
			return Buffer.concat([flags, mode, text(path())]);
		case 8:
		case 9:
			return Buffer.concat([text(path()), text(path())]);
		case 11:
			return Buffer.concat([mode, text(path())]);
		case 12:
			return Buffer.concat([flags, mode, mode, text(path())]);
		case 13:
			return Buffer.concat([flags, Buffer.alloc(24, randomInt(256)), text(path())]);
		case 15:
			return Buffer.concat([
				u16(randomInt(65536)),
				text(pick('', '127.0.0.1', '::1', '1:2:3:4:5:6:7:8', '::', ':', '1::2::3', '300.1.1.1')),
			]);
		case 17:
			return Buffer.alloc(12, randomInt(256));
		case 18:
			return Buffer.alloc(randomInt(600));
		case 19:
			return Buffer.concat([flags, text('none'), text(path()), text('tmpfs'), text('')]);
		default:
			return pick(Buffer.concat([flags, text(path())]), text(path()));
	}
}

function mutated(bytes: Buffer): Buffer {
	if (randomInt(3) > 0 || bytes.length === 0) return bytes;
	const copy = Buffer.from(bytes.subarray(0, pick(bytes.length, randomInt(bytes.length))));
	for (let i = randomInt(4); i > 0 && copy.length > 0; i--) copy[randomInt(copy.length)] = randomInt(256);
	return copy;
}

/** A frame of the host's that is often as it should be. */
function anyFrame(): Buffer {
	const channel = pick(1, 1, 2, 3, 4, 5, randomInt(1, 1024));
	switch (randomInt(8)) {
		case 0:
		case 1: {
			// The last operation ends the machine, and with it the sandbox.
			const operation = randomInt(1, operations.MOST + 1);
			return frame(channel, OPEN, operation, mutated(operands(operation)));
		}
		case 2:
			return frame(channel, DATA, 0, Buffer.alloc(randomInt(20_000), 'x'));
		case 3:
			return frame(channel, END, 0, Buffer.alloc(0));
		case 4:
			return frame(channel, CREDIT, pick(1, 2), u32(randomInt(10_000)));
		case 5:
			return frame(channel, SIGNAL, 0, u32(randomInt(1, 65)));
		case 6:
			return frame(channel, RESIZE, 0, u32(randomInt(2 ** 32)));
		default:
			return frame(channel, CLOSE, 0, Buffer.alloc(0));
	}
}

async function round(t: ExecutionContext, program: string, root: string, bytes: readonly Buffer[], reads: boolean) {
	const {stream, exited} = startSandbox(program, root);
	if (reads) stream.resume();
	for (const each of bytes) stream.write(each);
	// One that nobody reads does not end by itself: the agent has to see that the host has gone.
	const closed = new Promise((resolve) => stream.once('close', resolve));
	const written = new Promise((resolve) => stream.write('', resolve));
	await Promise.race([closed, written, exited]);
	stream.destroy();
	t.deepEqual(await exited, [0, null], Buffer.concat(bytes).toString('base64'));
}

sandboxed('a host that breaks the rules ends its connection, and the agent goes in order', async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'hostile-host-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	const root = join(folder, 'root');
	mkdirSync(root);
	const modes = () => devices.map((path) => statSync(path).mode);
	const before = modes();
	for (const program of programs(folder)) {
		const breaches: Buffer[][] = [
			[Buffer.from('GET / HTTP/1.1\r\n\r\n')],
			[Buffer.alloc(200_000, 'o')],
			[greeting.subarray(0, 30)],
			[Buffer.concat([magic, Buffer.alloc(24, 9)])],
			[greeting, frame(0, OPEN, 1, Buffer.alloc(0))],
			[greeting, frame(1024, OPEN, 1, Buffer.alloc(0))],
			[greeting, frame(1, OPEN, 4, Buffer.alloc(0), 2 ** 32 - 1)],
			[greeting, frame(1, OPEN, 4, Buffer.alloc(0), 65_529)],
			[greeting, frame(1, 99, 0, Buffer.alloc(0))],
			[greeting, ...[1, 2].map(() => frame(1, OPEN, 14, text('/tmp')))],
			[greeting, frame(1, OPEN, 14, text('/tmp')), ...[1, 2].map(() => frame(1, CREDIT, 1, u32(2 ** 32 - 1)))],
			[
				greeting,
				frame(1, OPEN, 3, Buffer.concat([Buffer.from([0]), u32(0), text('/tmp/x')])),
				...Array.from({length: 9}, () => frame(1, DATA, 0, Buffer.alloc(65_528))),
			],
			[greeting, frame(1, OPEN, 1, Buffer.alloc(65_528, 255))],
			[greeting, ...devices.map((path, index) => frame(1 + index, OPEN, 11, Buffer.concat([u32(0), text(path)])))],
			[greeting, frame(1, OPEN, 1, Buffer.concat([Buffer.alloc(9), u16(65_535)]))],
		];
		for (const bytes of breaches) await round(t, program, root, bytes, true);
		for (let i = 0; i < 60; i++) {
			const frames = Array.from({length: randomInt(1, 80)}, anyFrame);
			await round(t, program, root, [greeting, ...frames], i % 3 > 0);
		}
	}
	t.deepEqual(modes(), before, 'the devices are as they were');
});
