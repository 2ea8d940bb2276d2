import {mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import type {VmOptions} from '#main/config';
import {serveGdb} from '#main/debugger';
import {debugExit, embedded, hasGdb, startGdb, type TestVm, testVm} from '#test/petri';
import {debugTarget, exitPort, type MicroKernel} from '#test/tmk';
import {probeDebug} from '#vcpu-worker/kvm';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-gdb-'));
test.after.always(() => rmSync(folder, {recursive: true}));

// Where there is no debugger, the tests of the protocol remain (gdb-protocol).
const gdbTest = hasGdb ? test.serial : test.serial.skip;
const socket = join(folder, 'gdb');
const attach = `target remote ${socket}`;

function flat(kernel: MicroKernel): VmOptions {
	const image = join(folder, kernel.name);
	writeFileSync(image, kernel.image);
	return {boot: {kind: 'flat', image, address: kernel.loadAddress, mode: 'long'}, devices: [debugExit(exitPort)]};
}

/** A machine that a debugger may attach to. */
async function debuggable(t: ExecutionContext, options: VmOptions): Promise<TestVm> {
	const guest = await testVm(t, options);
	await serveGdb(guest.vm, {kind: 'unix', path: socket});
	return guest;
}

/** Runs the debugger to its end and logs what it said. */
async function debug(t: ExecutionContext, ...commands: readonly string[]): Promise<string> {
	const output = await startGdb([attach, ...commands]).ended;
	t.log(output);
	return output;
}

gdbTest('gdb breaks, steps, reads and writes, and detaches from a guest that then runs to its end', async (t) => {
	// A guest that is stepped to its breakpoints cannot step itself: there is one trap flag.
	const {software, hardware} = probeDebug();
	const kernel = debugTarget({ownSteps: software && hardware});
	const {vm} = await debuggable(t, flat(kernel));
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
});

gdbTest('gdb sees every processor of a running guest, interrupts it, and lets it go', async (t) => {
	const guest = await debuggable(t, {processors: {count: 2}, boot: embedded('loop')});
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

gdbTest('a guest that powers off while it is debugged has exited for gdb', async (t) => {
	const {vm} = await debuggable(t, {boot: embedded('work=10000')});
	t.regex(await debug(t, 'continue'), /exited normally/);
	t.deepEqual(await vm.ended, {kind: 'power-off'});
});

gdbTest('a guest that crashes is kept for gdb, and ends when it goes on', async (t) => {
	const {vm} = await debuggable(t, {boot: embedded('jump')});
	const output = await debug(t, 'continue', 'info registers rip', 'x/2xb 0x100000', 'continue');
	t.regex(output, /SIGSEGV[\s\S]*rip +0x[\s\S]*0x100000:\t0x[\s\S]*terminated with signal SIGSEGV/);
	t.like(await vm.ended, {kind: 'crash', reason: 'triple fault'});
});

test.serial('a crash leaves a core dump that shows the guest, and ends as it would without', async (t) => {
	const crashDumpPath = join(folder, 'crash');
	const told: string[] = [];
	const create = {crashDumped: (path: string, error?: Error) => void told.push(error?.message ?? path)};
	const {vm} = await testVm(t, {processors: {count: 2}, boot: embedded('jump'), crashDumpPath}, create);
	await vm.start();
	t.like(await vm.ended, {kind: 'crash', reason: 'triple fault'});
	t.deepEqual(told, [crashDumpPath]);
	t.true(readFileSync(crashDumpPath).includes('OpenVMM embedded guest'));
	t.is(statSync(crashDumpPath).size % 4096, 0);
});

test.serial('a dump that cannot be written leaves the machine running', async (t) => {
	const {vm} = await testVm(t, {boot: embedded('hang=hlt')});
	await vm.start();
	await t.throwsAsync(vm.dumpCore(join(folder, 'no', 'where')), {code: 'CORE_DUMP_FAILED'});
	t.is(vm.state, 'running');
	await vm.dumpCore(join(folder, 'core'));
	t.is(vm.state, 'running');
});
