import {type ChildProcess, execFileSync} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {ControlClient} from '#main/control';
import {hasTerminals, type Step, showsOnTerminal} from './testing/new-terminal.ts';
import {openvmmLine, runOpenvmm, startOpenvmm} from './testing/run-openvmm.ts';

/**
 * A program for real mode at 0x7c00 that writes to COM1 what comes there, and sleeps meanwhile. It has the serial port's interrupt
 * by vector 12 of the first 8259A (its datasheet: ICW1 to ICW4, OCW1), and leaves each to the handler below.
 */
const echoGuest = Uint8Array.from([
	...[0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xd0], // cli; xor ax, ax; mov ds, ax; mov ss, ax
	...[0xbc, 0x00, 0x7c], // mov sp, 0x7c00
	...[0xc7, 0x06, 0x30, 0x00, 0x3a, 0x7c], // mov word [4 * 12], handler
	...[0xc7, 0x06, 0x32, 0x00, 0x00, 0x00], // mov word [4 * 12 + 2], 0
	...[0xb0, 0x11, 0xe6, 0x20, 0xb0, 0x08, 0xe6, 0x21], // out 0x20, ICW1; out 0x21, ICW2: vectors from 8
	...[0xb0, 0x04, 0xe6, 0x21, 0xb0, 0x01, 0xe6, 0x21], // ICW3; ICW4
	...[0xb0, 0xef, 0xe6, 0x21], // OCW1: IRQ 4 alone
	...[0xba, 0xf9, 0x03, 0xb0, 0x01, 0xee], // IER: received data
	...[0xba, 0xfc, 0x03, 0xb0, 0x0b, 0xee], // MCR: DTR, RTS, OUT2
	...[0xfb, 0xf4, 0xeb, 0xfd], // sti; again: hlt; jmp again
	// handler:
	...[0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0x07], // in al, LSR; test al, 1; jz done
	...[0xba, 0xf8, 0x03, 0xec, 0xee, 0xeb, 0xf1], // in al, RBR; out THR, al; jmp handler
	...[0xb0, 0x20, 0xe6, 0x20, 0xcf], // done: EOI; iret
]);

// One machine whose guest writes what it reads, and several who are at its console.
const directory = mkdtempSync(join(tmpdir(), 'openvmm-attach-'));
const folder = join(directory, `openvmm-${process.getuid?.()}/echo`);
let machine: ChildProcess;
let shown = '';

const until = async (text: string) => {
	while (!shown.includes(text)) await once(machine.stdout as NonNullable<ChildProcess['stdout']>, 'data');
};

test.before(async () => {
	const guest = join(directory, 'echo.bin');
	writeFileSync(guest, echoGuest);
	machine = startOpenvmm(
		['--flat', `${guest},mode=real,address=0x7c00`, '-m', '64M', '--name', 'echo', '--hypervisor', 'software'],
		{
			env: {...process.env, XDG_RUNTIME_DIR: directory},
			stdio: ['pipe', 'pipe', 'inherit'],
		},
	);
	machine.stdout?.on('data', (bytes: Buffer) => {
		shown += bytes.toString();
	});
	machine.stdin?.write('begin\n');
	await until('begin\n');
});
test.after.always(() => {
	machine.kill('SIGKILL');
	rmSync(directory, {recursive: true});
});

const openvmm = (words: readonly string[], input?: string) => runOpenvmm(directory, words, input);
const onTerminal = hasTerminals ? test.serial : test.skip;

/** Attaches on a new terminal. @returns what it showed, the status, and whether the terminal is as before */
async function attached(words: string, steps: readonly Step[]) {
	const path = join(directory, 'result');
	const line = `export XDG_RUNTIME_DIR=${directory}; stty -g > ${path}.before; sh -c 'echo $$ > ${path}.pid; exec ${openvmmLine(`attach echo ${words}`)}'; echo $? > ${path}.status; stty -g > ${path}.after`;
	const text = await showsOnTerminal(line, steps);
	const read = (part: string) => readFileSync(`${path}.${part}`, 'utf8').trim();
	return {shown: text, status: Number(read('status')), isRestored: read('before') === read('after')};
}

test.serial('a machine is listed with what it is', async (t) => {
	const [row] = JSON.parse((await openvmm(['ps', '--json'])).stdout);
	t.like(row, {
		name: 'echo',
		image: 'echo.bin',
		processors: 1,
		memoryBytes: 64 * 2 ** 20,
		status: null,
		pid: machine.pid,
	});
	t.regex((await openvmm(['ps'])).stdout, /^NAME +IMAGE +STATE .*\necho +echo\.bin +running /);
	t.is((await openvmm(['ps', '-q'])).stdout, 'echo\n');
});

test.serial('what the console has shown is in the log, as far as is asked', async (t) => {
	machine.stdin?.write('one\ntwo\nthree\n');
	await until('three\n');
	t.is((await openvmm(['logs', 'echo'])).stdout, 'begin\none\ntwo\nthree\n');
	t.is((await openvmm(['logs', 'echo', '--tail', '2'])).stdout, 'two\nthree\n');
	t.is((await openvmm(['logs', 'echo', '--since', '2h', '--tail', '1'])).stdout, 'three\n');
	t.is((await openvmm(['logs', 'echo', '--since', '9999-01-01T00:00:00Z'])).stdout, '');
});

onTerminal(
	'who attaches sees what came before, types, and leaves by the keys with the terminal restored',
	async (t) => {
		const result = await attached('--tail 1', [
			['three', 'typed\r'],
			['typed', '\x10x\x10\x10\x11'],
		]);
		t.true(result.isRestored);
		t.is(result.status, 0);
		t.false(result.shown.includes('two'));
		// A key of both that the other does not follow is the guest's.
		await until('typed\r\x10x\x10');
		t.is(machine.exitCode, null);
	},
);

onTerminal('who only looks types nothing, and leaves by keys of their choice', async (t) => {
	const {status, isRestored} = await attached('--read-only --detach-keys ctrl-c', [['typed', 'secret\x03']]);
	t.is(status, 0);
	t.true(isRestored);
	machine.stdin?.write('after\n');
	await until('after\n');
	t.false(shown.includes('secret'));
});

onTerminal('a signal ends it with its status, and the terminal restored', async (t) => {
	const {status, isRestored} = await attached('', [
		['after', () => void process.kill(Number(readFileSync(join(directory, 'result.pid'), 'utf8')), 'SIGTERM')],
	]);
	t.is(status, 143);
	t.true(isRestored);
});

onTerminal('a virtio console is told the size of the terminal that attaches, at first and later', async (t) => {
	const sleeper = join(directory, 'sleeper.bin');
	// cli; again: hlt; jmp again
	writeFileSync(sleeper, Uint8Array.from([0xfa, 0xf4, 0xeb, 0xfd]));
	const flat = ['--flat', `${sleeper},mode=real,address=0x7c00`, '-m', '64M', '--hypervisor', 'software'];
	const sized = startOpenvmm([...flat, '--name', 'sized', '--com1', 'none', '--virtio-console', 'console'], {
		env: {...process.env, XDG_RUNTIME_DIR: directory},
		stdio: 'ignore',
	});
	t.teardown(() => sized.kill('SIGKILL'));
	const inspect = async (path: string) => (await openvmm(['inspect', 'sized', path])).stdout.trim();
	while ((await inspect('vm/state')) !== 'running') await sleep(20);
	const path = join(directory, 'sized');
	// Nothing is shown, so nothing could be waited for to leave it by keys.
	const line = `stty cols 101 rows 33; tty > ${path}.tty; exec ${openvmmLine('attach sized')} < /dev/null`;
	const shell = `export XDG_RUNTIME_DIR=${directory}; sh -c 'echo $$ > ${path}.pid; exec sh -c "${line}"'; echo $? > ${path}.status`;
	const over = showsOnTerminal(shell);
	let left: string | undefined;
	void over.then((text) => {
		left = text;
	});
	const told = async (columns: number, rows: number) => {
		const size = `0x${((rows << 16) | columns).toString(16)}`;
		while ((await inspect('vm/devices/virtio-console-mmio/state/ports/0/size')) !== size)
			if (left !== undefined) throw new Error(`It has ended: ${left}`);
	};
	await told(101, 33);
	const [tty, pid] = ['tty', 'pid'].map((part) => readFileSync(`${path}.${part}`, 'utf8').trim());
	execFileSync('stty', ['-F', `${tty}`, 'cols', '90', 'rows', '20']);
	await told(90, 20);
	process.kill(Number(pid), 'SIGTERM');
	await over;
	t.is(readFileSync(`${path}.status`, 'utf8').trim(), '143');
	const serial = await ControlClient.connect(join(folder, 'control.sock'));
	t.teardown(() => serial.close());
	t.deepEqual(await serial.call('resize-console', {columns: 90, rows: 20}), {told: false});
});

test.serial('several at a time see the same, and each may type', async (t) => {
	const both = [1, 2].map(() =>
		startOpenvmm(['attach', 'echo', '--tail', '0'], {env: {...process.env, XDG_RUNTIME_DIR: directory}, stdio: 'pipe'}),
	);
	const seen = ['', ''];
	for (const [index, child] of both.entries())
		child.stdout?.on('data', (bytes: Buffer) => {
			seen[index] += bytes.toString();
		});
	both[0]?.stdin?.write('from the first\n');
	await until('from the first\n');
	both[1]?.stdin?.write('from the second\n');
	await until('from the second\n');
	while (!seen.every((text) => text.endsWith('from the second\n'))) await sleep(20);
	t.true(seen[0]?.includes('from the first\n'));
	for (const child of both) child.kill('SIGTERM');
	await Promise.all(both.map((child) => once(child, 'close')));
	t.is(machine.exitCode, null);
});

test.serial('who does not read keeps neither the others nor who ends it', async (t) => {
	const idle = startOpenvmm(['attach', 'echo', '--tail', 'all'], {
		env: {...process.env, XDG_RUNTIME_DIR: directory},
		stdio: 'pipe',
	});
	t.teardown(() => idle.kill('SIGKILL'));
	await once(idle.stdout as NonNullable<ChildProcess['stdout']>, 'readable');
	// More than a pipe and both ends of it hold.
	const flood = 'x'.repeat(4095);
	for (let count = 0; count < 80; count++) {
		machine.stdin?.write(`${flood}\n`);
		await once(machine.stdout as NonNullable<ChildProcess['stdout']>, 'data');
	}
	machine.stdin?.write('behind all\n');
	await until('behind all\n');
	t.regex((await openvmm(['logs', 'echo', '--tail', '1'])).stdout, /behind all\n$/);
	const end = once(idle, 'exit');
	idle.kill('SIGTERM');
	t.deepEqual(await end, [143, null]);
});

test.serial('who shows it to nobody any more ends', async (t) => {
	for (const words of [
		['logs', 'echo', '--follow', '--tail', '1'],
		['attach', 'echo', '--read-only', '--tail', '1'],
	]) {
		const child = startOpenvmm(words, {env: {...process.env, XDG_RUNTIME_DIR: directory}, stdio: 'pipe'});
		t.teardown(() => child.kill('SIGKILL'));
		await once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data');
		child.stdout?.destroy();
		const end = once(child, 'exit');
		machine.stdin?.write('once more\n');
		t.deepEqual(await end, [141, null], words.join(' '));
	}
});

test.serial('mistakes are told with their remedy', async (t) => {
	const cases: [readonly string[], number, RegExp][] = [
		[['attach', 'nobody'], 9, /No machine "nobody" is running\. There is echo \(\d+\)\. \[CONTROL_MACHINE_UNKNOWN\]/],
		[['attach'], 2, /NAME is missing/],
		[['attach', 'echo', '--detach-keys', 'ctrl-1'], 2, /--detach-keys/],
		[['logs', 'echo', '--since', 'yesterday'], 2, /90s, 10m/],
		[['logs', 'echo', '--tail', 'x'], 2, /--tail/],
		[['rm', 'echo'], 9, /is running\. Stop it first: openvmm stop echo/],
		[['--name', 'echo', '--hypervisor', 'software'], 2, /There is a machine "echo" already, which is running/],
	];
	for (const [words, status, text] of cases) {
		const result = await openvmm(words);
		t.is(result.status, status, words.join(' '));
		t.regex(result.stderr, text);
		t.is(result.stderr.split('\n').length, 2, 'one line');
	}
});

test.serial('who is there when the machine is stopped ends with it', async (t) => {
	const there = [
		['logs', 'echo', '--follow', '--tail', '1'],
		['attach', 'echo', '--read-only', '--tail', '1'],
	].map((words) => startOpenvmm(words, {env: {...process.env, XDG_RUNTIME_DIR: directory}, stdio: 'pipe'}));
	await Promise.all(there.map((child) => once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data')));
	const ends = there.map((child) => once(child, 'close'));
	const stopped = await openvmm(['stop', 'echo', '--time', '0']);
	t.deepEqual(stopped, {stdout: 'echo\n', stderr: '', status: 0});
	t.deepEqual(await Promise.all(ends), [
		[0, null],
		[0, null],
	]);
	t.false(existsSync(folder));
});
