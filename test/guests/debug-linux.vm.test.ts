import {execFile} from 'node:child_process';
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import test, {type ExecutionContext} from 'ava';
import {serveGdb} from '#main/debugger';
import {debugSupportHere, hasGdb, linuxTest, type MakeMachine, runInLinux, startGdb, until} from '#test/petri';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'openvmm-debug-linux-'));
test.after.always(() => rmSync(folder, {recursive: true}));

// The kernel itself tells the addresses of its symbols: Debian's System.map is in a package of 1 GB.
const script = [
	"grep -E ' (linux_banner|schedule_idle)$' /proc/kallsyms",
	'echo waiting',
	until("grep -qE 'NMI: +[1-9]' /proc/interrupts"),
	'echo NMI came',
];

const title = 'a stock Debian kernel is debugged, dumped and sent an NMI, and runs on';
linuxTest(title, debugged, {skip: !hasGdb});

async function debugged(t: ExecutionContext, machine: MakeMachine): Promise<void> {
	const path = join(folder, 'gdb');
	const guest = await runInLinux(machine, {processors: {count: 2}}, script, 'nokaslr');
	await serveGdb(guest.vm, {kind: 'unix', path});
	await guest.waitFor(/waiting/);
	// Each assertion gives the emulator its time again.
	t.is(guest.vm.state, 'running');
	const symbol = (name: string) => {
		const [, digits = ''] = new RegExp(`^([0-9a-f]{16}) . ${name}\r?$`, 'm').exec(guest.output) ?? [];
		return `0x${digits}`;
	};

	// Stepping does not get through a whole kernel: see the guide.
	const {software, hardware} = debugSupportHere();
	const stop = symbol('schedule_idle');
	const breaking = software || hardware ? [`break *${stop}`, 'continue', 'printf "at %lx\\n", $rip', 'delete'] : [];
	const commands = [
		...[`target remote ${path}`, 'info threads', `x/s ${symbol('linux_banner')}`, ...breaking, 'stepi', 'stepi'],
		...['printf "then %lx\\n", $rip', 'info registers cr0', 'detach'],
	];
	const said = await startGdb(commands).ended;
	t.log(said);
	t.regex(said, /Thread 1 \(CPU 0[\s\S]*Thread 2 \(CPU 1/);
	t.regex(said, /"Linux version 6\./);
	if (breaking.length > 0) t.regex(said, new RegExp(`at ${stop.slice(2)}\n`));
	t.regex(said, /then [0-9a-f]{6,16}\n/);
	t.regex(said, /cr0 .*\[ .*PG.* \]/);

	const core = join(folder, 'core');
	await guest.vm.dumpCore(core);
	t.is(guest.vm.state, 'running');
	// The kernel is where it was linked to be: nokaslr.
	const banner = Number(BigInt(symbol('linux_banner')) - 0xffff_ffff_8000_0000n);
	const words = [`core-file ${core}`, 'info threads', `x/s ${banner}`, 'p/x $rip', 'p/x $cs'];
	const {stdout} = await run('/usr/bin/gdb', ['-nx', '-batch', ...words.flatMap((word) => ['-ex', word])]);
	t.log(stdout);
	t.regex(stdout, /LWP 1[\s\S]*LWP 2/);
	t.regex(stdout, /"Linux version 6\./);
	if (existsSync('/usr/bin/readelf')) {
		t.regex((await run('/usr/bin/readelf', ['-nW', core])).stdout, /NT_PRSTATUS[\s\S]*QEMU[\s\S]*VMCOREINFO/);
	}

	await guest.vm.nmi();
	await guest.waitFor(/NMI came/);
	t.deepEqual(await guest.vm.ended, {kind: 'power-off'});
}
