import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {crash, forever, guestProgram, halt, interrupts, output, type Statement} from '#test/guest-program';
import {everyBackEnd, vmTest} from '#test/petri';

const everywhere = {on: everyBackEnd};
const program = (name: string, ...main: readonly Statement[]) => guestProgram({name, main});
const resets = program('reset', output(0x64, 1, 0xfe), forever());
const crashes = program('crash', crash);
const haltForGood = program('halt', interrupts(false), forever(halt));

vmTest('a write to the power-off port of QEMU powers off', everywhere, async (t, machine) => {
	const {vm} = await machine({program: program('off', output(0x604, 2, 0x2000), forever())});
	await vm.start();
	t.deepEqual(await vm.ended, {kind: 'power-off'});
});

vmTest('a triple fault is a crash that names the processor', everywhere, async (t, machine) => {
	const {vm} = await machine({program: crashes});
	await vm.start();
	t.deepEqual(await vm.ended, {kind: 'crash', reason: 'triple fault', vcpu: 0, status: 3});
});

vmTest('a guest halted with interrupts off is said to be, once, and stays', everywhere, async (t, machine) => {
	let told = 0;
	const stuck = Promise.withResolvers<void>();
	const options = {program: haltForGood, processors: {count: 2}};
	const guest = await machine(options, {stuck: () => stuck.resolve(void told++)});
	await guest.vm.start();
	await stuck.promise;
	t.like(await guest.inspect('vm'), {state: 'running', haltedForGood: true});
	await guest.vm.pause();
	await guest.vm.resume();
	t.is(told, 1);
	t.is(guest.vm.state, 'running');
});

vmTest('what follows it can be chosen', everywhere, async (t, machine) => {
	const {vm} = await machine({program: haltForGood, guestActions: {halt: {exit: 9}}});
	await vm.start();
	t.deepEqual(await vm.ended, {kind: 'halt', status: 9});
});

vmTest('a reset can be made to end the machine', everywhere, async (t, machine) => {
	const {vm} = await machine({program: resets, guestActions: {reset: {exit: 9}}});
	await vm.start();
	t.deepEqual(await vm.ended, {kind: 'exit', status: 9});
});

vmTest('a guest that resets itself without end ends, and is dumped as it is then', everywhere, async (t, machine) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-ends-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	for (const [name, program, limit, dumps] of [
		['resets', resets, 3, 1],
		['crashes', crashes, 1, 2],
	] as const) {
		const crashDumpPath = join(folder, name);
		const told: string[] = [];
		const crashDumped = (path: string, error?: Error) => void told.push(error?.message ?? path);
		const options = {program, crashDumpPath, guestResetLimit: limit, guestActions: {crash: 'reset'}} as const;
		const {vm} = await machine(options, {crashDumped});
		await vm.start();
		t.deepEqual(await vm.ended, {kind: 'reset-loop', resets: limit});
		// A crash has been dumped when it is one too many.
		t.deepEqual(told, Array(dumps).fill(crashDumpPath), name);
		t.is(readFileSync(crashDumpPath).toString('latin1', 0, 4), '\x7fELF');
	}
});
