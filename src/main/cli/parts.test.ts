import {existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import test from 'ava';
import type {Machine} from '#main/operations';
import {VmmError} from '#support/errors';
import {hex, inspectTree, leaf, object, updateTree} from '#support/inspect';
import {suggestion} from '#support/suggestion';
import {complete} from './completion.ts';
import {ConsoleInput} from './console-input.ts';
import {consoleCommands, runConsoleLine} from './console-line.ts';
import {plainLogger} from './logger.ts';
import {openEntry} from './open-control.ts';
import {openLog} from './open-log.ts';
import {claimPidFile} from './pid-file.ts';
import {asErrorData, errorLine} from './report.ts';

const directory = mkdtempSync(join(tmpdir(), 'openvmm-cli-'));
test.after.always(() => rmSync(directory, {recursive: true}));

const writer = {expected: 'nothing', write: () => false};
const tree = object(() => ({
	vm: object(() => ({state: 'running', vcpus: object(() => ({0: object(() => ({rip: hex(0x10n)}))}))})),
	log: leaf(() => 'warn', {writer}),
}));

/** A machine that records calls by name. */
function recorder(calls: string[]): Machine {
	const call = (name: string) => async () => void calls.push(name);
	const machine: Partial<Machine> = {
		state: 'running',
		ended: new Promise(() => {}),
		pause: call('pause'),
		resume: async (options) => void calls.push(options?.clock === undefined ? 'resume' : `resume ${options.clock}`),
		reset: call('reset'),
		nmi: call('nmi'),
		powerButton: call('power-button'),
		async addPcieDevice(port, device) {
			calls.push(`add ${JSON.stringify(device)} at ${port}`);
			return 'engine';
		},
		removePcieDevice: async (port) => void calls.push(`remove ${port}`),
		async saveSnapshot(directory) {
			calls.push(`save ${directory}`);
		},
		async dumpCore(path, {progress, signal} = {}) {
			signal?.throwIfAborted();
			for (let done = 1; done <= 40; done++) progress?.(done, 40);
			calls.push(`dump ${path}`);
		},
		stop: call('stop'),
		feedConsole: async () => 0,
		inspect: (path = '', options) => inspectTree(tree, path, options),
		update: (path, text) => updateTree(tree, path, text),
	};
	return machine as Machine;
}

async function consoleLine(line: string, signal?: AbortSignal) {
	const calls: string[] = [];
	const said: string[] = [];
	const next = await runConsoleLine(line, recorder(calls), {
		say: (text) => void said.push(text),
		...(signal && {signal}),
	});
	return {next, calls, said};
}

const consoleLines: [string, Awaited<ReturnType<typeof runConsoleLine>>, string[]][] = [
	['pause', 'stay', ['pause']],
	['p', 'stay', ['pause']],
	['resume', 'stay', ['resume']],
	['resume --clock catch-up', 'stay', ['resume catch-up']],
	['r --clock=continue', 'stay', ['resume continue']],
	['resume --clock later', 'stay', []],
	['resume catch-up', 'stay', []],
	['pcie-add rp0 /x.ts,size=1', 'stay', ['add {"module":"/x.ts","options":{"size":"1"}} at rp0']],
	['pcie-add rp0:/x.ts', 'stay', []],
	['pcie-remove  rp0 ', 'stay', ['remove rp0']],
	['pcie-remove', 'stay', []],
	['pcie-add rp0', 'stay', []],
	['pause rp0', 'stay', []],
	['dump-core a.core', 'stay', [`dump ${resolve('a.core')}`]],
	['dump-core', 'stay', []],
	['save-snapshot dir', 'stay', [`save ${resolve('dir')}`]],
	['save-snapshot', 'stay', []],
	['r', 'stay', ['resume']],
	[' reset ', 'stay', ['reset']],
	['n', 'stay', ['nmi']],
	['q', 'quit', []],
	['quit', 'quit', []],
	['i', 'input', []],
	['', 'stay', []],
];
for (const [line, next, calls] of consoleLines) {
	test(`console line "${line}" does what it says`, async (t) => {
		const result = await consoleLine(line);
		t.is(result.next, next);
		t.deepEqual(result.calls, calls);
	});
}

test('a core dump tells how far it is, and where it went', async (t) => {
	const {said} = await consoleLine('dump-core a.core');
	t.is(said.length, 11);
	t.deepEqual(said.slice(-2), ['100 %', `The guest's core dump is in "${resolve('a.core')}"`]);
});

test('a line that is given up says so and stays at the prompt', async (t) => {
	const reason = new VmmError({code: 'OPERATION_ABORTED', message: 'It was given up', context: {}});
	const {next, said, calls} = await consoleLine('dump-core a.core', AbortSignal.abort(reason));
	t.deepEqual({next, said, calls}, {next: 'stay', said: ['It was given up'], calls: []});
});

test('the console lists its commands, prints the state and recognises a typing error', async (t) => {
	t.true((await consoleLine('help')).said.some((line) => line.startsWith('quit, q ')));
	t.deepEqual((await consoleLine('status')).said, ['state: running\nvcpus/ …']);
	t.deepEqual((await consoleLine('puase')).said, ['There is no command "puase". Did you mean pause?']);
	t.deepEqual((await consoleLine('xyzzy')).said, ['There is no command "xyzzy". Try help']);
	t.deepEqual((await consoleLine('help me')).said, ['There is no command "help me". Did you mean help?']);
	t.deepEqual((await consoleLine('dump-core')).said, ['Usage: dump-core PATH']);
	t.deepEqual((await consoleLine('pcie-add rp0')).said, ['Usage: pcie-add PORT DEVICE[,OPTIONS]']);
	t.deepEqual((await consoleLine('pause now')).said, ['Unexpected argument "now". See help']);
});

test('the console shows the tree, and says what is wrong with a path, a flag or a value', async (t) => {
	const said = async (line: string) => (await consoleLine(line)).said;
	t.deepEqual(await said('x'), ['vm/ …\nlog: warn (writable)']);
	t.deepEqual(await said('inspect vm -r'), ['state: running\nvcpus/\n  0/\n    rip: 0x10']);
	t.deepEqual(await said('x -l 2 vm'), ['state: running\nvcpus/\n  0/ …']);
	t.deepEqual(await said('x --json vm/vcpus/0'), ['{\n  "rip": "0x10"\n}']);
	t.deepEqual(await said('x vm/vcpu'), ['There is no "vcpu" in "vm". Did you mean vm/vcpus?']);
	t.deepEqual(await said('x log -u loud'), ['"log" cannot be "loud". Give it nothing']);
	t.deepEqual(await said('x vm/state -u off'), [
		'"vm/state" is a read-only value and cannot be written. What can be written is marked so when it is shown',
	]);
	t.regex((await said('x -u off'))[0] ?? '', /--update needs PATH/);
	t.regex((await said('x log -r -u info'))[0] ?? '', /--recursive conflicts with --update/);
	t.regex((await said('x -q'))[0] ?? '', /There is no flag -q/);
	t.regex((await said('x vm log'))[0] ?? '', /Unexpected argument "log"/);
});

test('the console completes commands and paths', async (t) => {
	const completed = (line: string) => complete(line, consoleCommands(), recorder([]));
	t.deepEqual(await completed('ins'), [['inspect', 'insert-medium'], 'ins']);
	t.deepEqual(await completed('x '), [['vm/', 'log'], '']);
	t.deepEqual(await completed('x -r vm/v'), [['vm/vcpus/'], 'vm/v']);
	t.deepEqual(await completed('inspect vm/vcpus/0/'), [['vm/vcpus/0/rip'], 'vm/vcpus/0/']);
	t.deepEqual(await completed('x nowhere/'), [[], 'nowhere/']);
	t.deepEqual(await completed('x -'), [[], '-']);
	t.deepEqual(await completed('pause '), [[], '']);
});

test('an error of the machine is said at the prompt', async (t) => {
	const error = new VmmError({code: 'X', message: 'No', remedy: 'Wait', context: {}});
	const machine = {...recorder([]), pause: () => Promise.reject(error)};
	const said: string[] = [];
	t.is(await runConsoleLine('pause', machine, {say: (text) => void said.push(text)}), 'stay');
	t.deepEqual(said, ['No. Wait']);
});

test('console input arrives in order and whole, however little the guest takes at once', async (t) => {
	const taken: number[] = [];
	let offers = 0;
	const input = new ConsoleInput({
		async feedConsole(bytes) {
			offers++;
			const count = Math.min(bytes.length, offers % 3);
			taken.push(...bytes.subarray(0, count));
			return count;
		},
	});
	const sent = Array.from({length: 100}, (_, index) => index);
	await Promise.all([input.send(Uint8Array.from(sent.slice(0, 40))), input.send(Uint8Array.from(sent.slice(40)))]);
	t.deepEqual(taken, sent);
	t.is(input.pendingBytes, 0);
});

test('typed keys that a guest does not read are kept to a limit and refused beyond it', (t) => {
	const input = new ConsoleInput({feedConsole: () => new Promise(() => {})});
	t.true(input.type(new Uint8Array(4000)));
	t.false(input.type(new Uint8Array(4000)));
	t.false(input.type(new Uint8Array(1)));
	t.is(input.pendingBytes, 4096);
});

test('a pid file holds the id, refuses a second owner and goes away', (t) => {
	const path = join(directory, 'one.pid');
	const first = claimPidFile(path);
	t.is(readFileSync(path, 'utf8'), `${process.pid}\n`);
	t.throws(() => claimPidFile(path), {
		message: `--pidfile "${path}" belongs to a running openvmm (process ${process.pid})`,
	});
	first.release();
	first.release();
	t.false(existsSync(path));
});

test('a pid file that a crash left behind is taken over', (t) => {
	const path = join(directory, 'stale.pid');
	writeFileSync(path, '999999999\n');
	const owner = claimPidFile(path);
	t.is(readFileSync(path, 'utf8'), `${process.pid}\n`);
	owner.release();
});

test('releasing leaves a file alone that someone else put in its place', (t) => {
	const path = join(directory, 'replaced.pid');
	const owner = claimPidFile(path);
	rmSync(path);
	writeFileSync(path, 'other');
	owner.release();
	t.is(readFileSync(path, 'utf8'), 'other');
});

test('a pid file that cannot be made is an error of the command line', (t) => {
	t.throws(() => claimPidFile(join(directory, 'no/such/dir.pid')), {code: 'CLI_FILE_FAILED'});
});

test('a log file gets JSON lines of its level and above', async (t) => {
	const logFile = join(directory, 'log');
	const log = await openLog({logLevel: 'info', logFile});
	log.debug('hidden');
	log.child({component: 'vm'}).info({count: 2}, 'shown');
	const [line, ...rest] = readFileSync(logFile, 'utf8').trim().split('\n');
	t.deepEqual(rest, []);
	t.like(JSON.parse(line ?? ''), {level: 30, msg: 'shown', count: 2, component: 'vm'});
});

test('a log file that cannot be made is an error of the command line', async (t) => {
	await t.throwsAsync(openLog({logLevel: 'info', logFile: join(directory, 'no/log')}), {code: 'CLI_FILE_FAILED'});
});

test('the plain log has one line per message, with fields behind it', (t) => {
	const lines: string[] = [];
	const log = plainLogger('warn', (line) => void lines.push(line)).child({vm: 'a'});
	log.info('hidden');
	log.warn({count: 2}, 'Slow disk');
	log.error('Broken');
	log.level = 'error';
	log.warn('hidden');
	t.deepEqual(lines, ['openvmm: warn: Slow disk vm=a count=2\n', 'openvmm: error: Broken vm=a\n']);
});

test('an error is one line with remedy and code, whatever its text holds', (t) => {
	const data = {code: 'X_Y', message: 'No "a\nb\x1b[31m"', remedy: 'Do', context: {}};
	t.is(errorLine(data), 'openvmm: No "a b [31m". Do. [X_Y]\n');
	t.is(errorLine({code: 'X', message: 'No', context: {}}), 'openvmm: No. [X]\n');
});

test('anything that is no VmmError is called an internal error', (t) => {
	t.is(asErrorData(new TypeError('x is y')).message, 'Internal error: TypeError: x is y');
	t.is(asErrorData('text').code, 'CLI_INTERNAL');
});

test('a near word is suggested, a far one is not', (t) => {
	const words = ['kernel', 'processors', 'com1', 'com2'];
	t.is(suggestion('kernal', words), 'kernel');
	t.is(suggestion('proc', words), 'processors');
	t.is(suggestion('ocm1', words), 'com1');
	t.is(suggestion('zzz', words), undefined);
});

test.serial('a machine without a folder has no name, where it can do without', async (t) => {
	const before = process.env['XDG_RUNTIME_DIR'];
	t.teardown(() => {
		if (before === undefined) delete process.env['XDG_RUNTIME_DIR'];
		else process.env['XDG_RUNTIME_DIR'] = before;
	});
	const open = (name: string | undefined, isNeeded: boolean) => {
		const said: string[] = [];
		const log = plainLogger('warn', (line) => void said.push(line));
		return openEntry({logLevel: 'warn', ...(name !== undefined && {name})}, log, {isNeeded}).then((entry) => ({
			entry,
			said,
		}));
	};
	process.env['XDG_RUNTIME_DIR'] = join(directory, 'missing');
	const {entry, said} = await open(undefined, false);
	t.is(entry, undefined);
	t.regex(said.join(''), /ENOENT.*the machine runs without one code=CONTROL_SOCKET_FAILED/);
	await t.throwsAsync(open(undefined, true), {code: 'CONTROL_SOCKET_FAILED'});
	// Links lead where their owner wants.
	process.env['XDG_RUNTIME_DIR'] = mkdtempSync(join(directory, 'linked-'));
	symlinkSync('/tmp', join(process.env['XDG_RUNTIME_DIR'], `openvmm-${process.getuid?.()}`));
	await t.throwsAsync(open(undefined, true), {code: 'CONTROL_DIRECTORY_UNSAFE'});
	process.env['XDG_RUNTIME_DIR'] = mkdtempSync(join(directory, 'runtime-'));
	for (const name of ['../x', '', 'a/b', '1', 'a\x1b[31m', 'n'.repeat(65)])
		await t.throwsAsync(open(name, false), {code: 'CONTROL_NAME_INVALID'});
	const all = await Promise.allSettled(Array.from({length: 8}, () => open('one', false)));
	t.is(all.filter(({status}) => status === 'fulfilled').length, 1, 'one of those who come at once has the name');
});
