import {mkdtempSync, readFileSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {serveGdb} from '#main/debugger';
import {
	debugSupportHere,
	embedded,
	hasGdb,
	type MachineOptions,
	type MakeMachine,
	startGdb,
	type TestVm,
	vmTest,
	x86BackEnds,
} from '#test/petri';
import {debugTarget} from '#test/tmk';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-gdb-'));
test.after.always(() => rmSync(folder, {recursive: true}));

// The tests of the protocol (gdb-protocol) remain where there is no debugger.
const withGdb = {on: x86BackEnds, skip: !hasGdb};
const socket = join(folder, 'gdb');
const attach = `target remote ${socket}`;

/** A machine that a debugger may attach to. */
async function debuggable(machine: MakeMachine, options: MachineOptions<'kvm'>): Promise<TestVm> {
	const guest = await machine(options);
	await serveGdb(guest.vm, {kind: 'unix', path: socket});
	return guest;
}

/** Runs the debugger to its end and logs what it said. */
async function debug(t: ExecutionContext, ...commands: readonly string[]): Promise<string> {
	const output = await startGdb([attach, ...commands]).ended;
	t.log(output);
	return output;
}

vmTest(
	'gdb breaks, steps, reads and writes, and detaches from a guest that then runs to its end',
	withGdb,
	async (t, machine) => {
		// A guest that is stepped to its breakpoints cannot step itself: there is one trap flag.
		const {software, hardware} = debugSupportHere();
		const kernel = debugTarget({ownSteps: software && hardware});
		const {vm} = await debuggable(machine, {kernel});
		const at = (label: string) => `0x${kernel.addressOf(label).toString(16)}`;
		const output = await debug(
			t,
			'printf "start %lx\\n", $rip',
			`break *${at('work')}`,
			`hbreak *${at('loop')}`,
			'continue',
			'printf "loop %lx ebx %d ecx %d\\n", $rip, $ebx, $ecx',
			'continue',
			`printf "work %lx counter %ld\\n", $rip, *(long*)${at('counter')}`,
			`x/1xb ${at('work')}`,
			'stepi',
			`printf "step %lx counter %ld\\n", $rip, *(long*)${at('counter')}`,
			'info breakpoints',
			'delete',
			`set var *(long*)${at('counter')} = 41`,
			// Without debug registers gdb steps and compares by itself, when it is told to.
			`set can-use-hw-watchpoints ${hardware ? 1 : 0}`,
			`watch *(long*)${at('counter')}`,
			'continue',
			'set var $rbx = 0x1122334455667788',
			'set var $xmm3.v2_int64[1] = 0x77',
			'set var $ymm3.v4_int64[2] = 0x99',
			'set var $st0 = 1.5',
			'printf "rbx %lx xmm3 %lx ymm3 %lx st0 %f\\n", $rbx, $xmm3.v2_int64[1], $ymm3.v4_int64[2], $st0',
			'printf "cr3 %lx\\n", $cr3',
			'info registers eflags cr0 efer',
			`set var *(long*)${at('stop')} = 1`,
			'delete',
			'detach',
		);
		t.regex(output, /start 100000\n/);
		t.regex(output, new RegExp(`loop ${at('loop').slice(2)} ebx 1 ecx \\d\n`), 'the guest got its own exceptions');
		t.regex(output, new RegExp(`work ${at('work').slice(2)} counter 0\n`));
		t.notRegex(output, /0xcc/, 'the breakpoint does not show');
		t.regex(output, /step [0-9a-f]+ counter 1\n/);
		t.regex(output, /Old value = 41\nNew value = 42\n/);
		t.regex(output, /rbx 1122334455667788 xmm3 77 ymm3 99 st0 1.500000\ncr3 [0-9a-f]+\n/);
		t.regex(output, /cr0 .*\[ .*PG.* \]/);
		t.regex(output, /efer .*\[ .*LME LMA.* \]/);
		t.deepEqual(await vm.ended, {kind: 'exit', status: 1});
	},
);

vmTest('gdb sees every processor of a running guest, interrupts it, and lets it go', withGdb, async (t, machine) => {
	const guest = await debuggable(machine, {processors: {count: 2}, boot: embedded('loop')});
	await guest.vm.start();
	await guest.waitFor(/CPUs: 2 found, 2 running/);
	const session = startGdb([
		attach,
		'info threads',
		'thread 2',
		'printf "second %lx\\n", $rip',
		'stepi',
		'info threads',
		'monitor info status',
		'echo going\\n',
		'continue',
		'printf "stopped %lx\\n", $rip',
		'monitor help',
		'detach',
	]);
	await session.waitFor(/going/);
	await session.until(() => guest.vm.state === 'running');
	session.interrupt();
	const output = await session.ended;
	t.log(output);
	t.regex(output, /Thread 1 \(CPU 0 \[\w+\]\)[\s\S]*Thread 2 \(CPU 1 \[\w+\]\)/);
	t.regex(output, /second [0-9a-f]{4,}\n/);
	t.regex(output, /paused/);
	t.regex(output, /SIGINT[\s\S]*stopped [0-9a-f]{4,}\n/);
	t.is(guest.vm.state, 'running');
});

vmTest('a guest that powers off while it is debugged has exited for gdb', withGdb, async (t, machine) => {
	const {vm} = await debuggable(machine, {boot: embedded('work=10000')});
	t.regex(await debug(t, 'continue'), /exited normally/);
	t.deepEqual(await vm.ended, {kind: 'power-off'});
});

vmTest('a guest that crashes is kept for gdb, and ends when it goes on', withGdb, async (t, machine) => {
	const {vm} = await debuggable(machine, {boot: embedded('jump')});
	const output = await debug(t, 'continue', 'info registers rip', 'x/2xb 0x100000', 'continue');
	t.regex(output, /SIGSEGV[\s\S]*rip +0x[\s\S]*0x100000:\t0x[\s\S]*terminated with signal SIGSEGV/);
	t.like(await vm.ended, {kind: 'crash', reason: 'triple fault'});
});

vmTest(
	'a crash leaves a core dump that shows the guest, and ends as it would without',
	{on: x86BackEnds},
	async (t, machine) => {
		const crashDumpPath = join(folder, 'crash');
		const told: string[] = [];
		const create = {crashDumped: (path: string, error?: Error) => void told.push(error?.message ?? path)};
		const {vm} = await machine({processors: {count: 2}, boot: embedded('jump'), crashDumpPath}, create);
		await vm.start();
		t.like(await vm.ended, {kind: 'crash', reason: 'triple fault'});
		t.deepEqual(told, [crashDumpPath]);
		t.true(readFileSync(crashDumpPath).includes('OpenVMM embedded guest'));
		t.is(statSync(crashDumpPath).size % 4096, 0);
	},
);

vmTest('a dump that cannot be written leaves the machine running', {on: x86BackEnds}, async (t, machine) => {
	const {vm} = await machine({boot: embedded('hang=hlt')});
	await vm.start();
	await t.throwsAsync(vm.dumpCore(join(folder, 'no', 'where')), {code: 'CORE_DUMP_FAILED'});
	t.is(vm.state, 'running');
	await vm.dumpCore(join(folder, 'core'));
	t.is(vm.state, 'running');
});
