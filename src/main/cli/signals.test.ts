import {existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {constants, tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {endingSignals, forcingSignals, machineSignals} from './signals.ts';
import {hasTerminals, runOnTerminal, type Step} from './testing/new-terminal.ts';

const directory = mkdtempSync(join(tmpdir(), 'openvmm-signals-'));
test.after.always(() => rmSync(directory, {recursive: true}));
const onTerminal = hasTerminals ? test.serial : test.skip;

type Signal = NodeJS.Signals | number;
/** A signal to send once the terminal has shown something, or several in order. */
type Sent = readonly [shown: string, ...signals: readonly Signal[]];

/** Runs a pretended machine with terminal, pid file and control socket, and sends it signals. */
async function run(name: string, ending: string, sent: readonly Sent[]) {
	const folder = join(directory, name);
	mkdirSync(folder);
	const files: string[][] = [];
	const steps = sent.map(([shown, ...signals]): Step => {
		const send = () => {
			files.push(readdirSync(folder));
			const pid = Number(readFileSync(join(folder, 'pid'), 'latin1'));
			for (const signal of signals) {
				process.kill(pid, signal);
				// The kernel gives pending ones by their number, not in the order of their coming.
				while (isPending(pid, signal));
			}
			if (shown === 'creating') writeFileSync(join(folder, 'go'), '');
		};
		return [shown, send];
	});
	const result = await runOnTerminal(folder, `${ending} ${folder}`, steps);
	return {...result, shown: result.shown.replaceAll('\r', ''), files, left: readdirSync(folder)};
}

/** Tells whether the process has a signal still to come; false where it has ended. */
function isPending(pid: number, signal: NodeJS.Signals | number): boolean {
	const number = typeof signal === 'number' ? signal : constants.signals[signal];
	try {
		const [, pending = '0'] = /^ShdPnd:\s*(\w+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
		return ((BigInt(`0x${pending}`) >> BigInt(number - 1)) & 1n) === 1n;
	} catch {
		return false;
	}
}

/** Signals that openvmm leaves as they are, each for its reason. */
const others: Partial<Record<NodeJS.Signals, string>> = {
	SIGKILL: 'nothing can catch it',
	SIGSTOP: 'nothing can catch it',
	SIGILL: 'a crash',
	SIGTRAP: 'a crash',
	SIGABRT: 'a crash',
	SIGBUS: 'a crash',
	SIGFPE: 'a crash',
	SIGSEGV: 'a crash',
	SIGSYS: 'a crash',
	SIGPIPE: 'ignored by Node.js: the write fails',
	SIGXFSZ: 'ignored by Node.js: the write fails',
	SIGUSR1: 'ignored by the launcher',
	SIGTTIN: 'stops who reads a terminal in the background: not us',
	SIGTTOU: 'the same for who changes its mode, or writes to it where the user wants that',
	SIGCHLD: 'does nothing',
	SIGURG: 'does nothing',
	SIGWINCH: 'does nothing',
};

test('every signal has its place', (t) => {
	const numberOf = (signal: string) => constants.signals[signal as NodeJS.Signals];
	const placed = [...endingSignals, ...Object.keys(machineSignals), ...Object.keys(others)].map(numberOf);
	t.deepEqual(
		placed.toSorted((a, b) => a - b),
		[...new Set(Object.values(constants.signals))].toSorted((a, b) => a - b),
	);
});

test('the launcher hands on every signal that does something to a machine', (t) => {
	const [, list = ''] =
		/^const handedOn = \[\n([\s\S]*?)^\];/m.exec(readFileSync(new URL('launcher.mjs', import.meta.url), 'utf8')) ?? [];
	const handedOn = [...list.matchAll(/'(\w+)'/g)].map(([, signal]) => signal);
	t.deepEqual(handedOn, [...endingSignals, ...Object.keys(machineSignals)]);
});

for (const signal of endingSignals) {
	onTerminal(`${signal} ends a machine in order`, async (t) => {
		const {status, before, after, shown, files, left} = await run(signal, 'wait', [['ready', signal]]);
		t.deepEqual(files, [['pid', 'socket']]);
		t.regex(shown, /stop\nstopped\n/);
		t.is(status, 128 + constants.signals[signal]);
		t.is(after, before);
		t.deepEqual(left, []);
	});
}

for (const signal of forcingSignals) {
	onTerminal(`a second ${signal} ends what does not stop, and leaves nothing behind`, async (t) => {
		const {status, before, after, shown, left} = await run(`second-${signal}`, 'hang', [
			['ready', 'SIGHUP'],
			['stop\r\n', 'SIGHUP', 'SIGXCPU', signal],
		]);
		t.notRegex(shown, /stopped/);
		t.is(status, 128 + constants.signals[signal]);
		t.is(after, before);
		t.deepEqual(left, []);
	});
}

onTerminal(
	'a signal that ends waits for the machine that is being made, and what comes after it changes nothing',
	async (t) => {
		const {status, shown, left} = await run('starting', 'slow', [
			['creating', 'SIGQUIT'],
			['stop\r\n', 'SIGALRM', 'SIGXCPU', 'SIGUSR2', 'SIGTSTP', 'SIGCONT'],
		]);
		t.regex(shown, /^creating\n.*\nattached\nready\nstop\nstopped\n$/);
		t.is(status, 128 + constants.signals.SIGQUIT);
		t.deepEqual(left, []);
	},
);

onTerminal('a pause before there is a machine is made up for, a reset is not needed', async (t) => {
	const {status, shown} = await run('before', 'slow', [
		['creating', 'SIGTSTP', 'SIGUSR2'],
		['ready', 'SIGPWR'],
	]);
	t.regex(shown, /^creating\n.*\nattached\npause\nready\nstop\nstopped\n$/);
	t.is(status, 128 + constants.signals.SIGPWR);
});

onTerminal('a pause that is taken back before there is a machine is none', async (t) => {
	const {status, shown} = await run('taken-back', 'slow', [
		['creating', 'SIGTSTP', 'SIGCONT'],
		['ready', 'SIGTERM'],
	]);
	t.notRegex(shown, /pause/);
	t.is(status, 143);
});

onTerminal('signals that are no end do not end it', async (t) => {
	const realTime = Array.from({length: 31}, (_, index) => 34 + index);
	const {status, shown, left} = await run('no-end', 'wait', [
		['ready', ...realTime, 'SIGPIPE', 'SIGXFSZ', 'SIGCHLD', 'SIGURG', 'SIGWINCH', 'SIGUSR2'],
		['reset', 'SIGTERM'],
	]);
	t.regex(shown, /reset\nstop\nstopped\n/);
	t.is(status, 143);
	t.false(existsSync(join(directory, 'no-end', 'pid')));
	t.deepEqual(left, []);
});

onTerminal(
	'a machine that cannot be stopped because it hangs is ended by force, with a line that says so',
	async (t) => {
		const {status, before, after, shown, left} = await run('hung', 'hung', [['ready', 'SIGTERM']]);
		t.regex(shown, /\nstop\nopenvmm: It hangs\. \[VM_DEVICES_HUNG\]\n/);
		t.is(status, 128 + constants.signals.SIGKILL);
		t.is(after, before);
		t.deepEqual(left, []);
	},
);
