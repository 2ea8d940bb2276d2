import {join} from 'node:path';
import {crash, forever, guestProgram, halt, interrupts, output, type Statement} from '#test/guest-program';
import {vmTest} from '#test/petri';

const everywhere = {on: ['fake', 'kvm']} as const;
const program = (name: string, ...main: readonly Statement[]) => guestProgram({name, main});
const haltForGood = program('halt', interrupts(false), forever(halt));

vmTest('a write to the power-off port of QEMU powers off', everywhere, async (t, machine) => {
	const {vm} = await machine({program: program('off', output(0x604, 2, 0x2000), forever())});
	await vm.start();
	t.deepEqual(await vm.ended, {kind: 'power-off'});
});

vmTest('a triple fault is a crash that names the processor', everywhere, async (t, machine) => {
	const {vm} = await machine({program: program('crash', crash)});
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

vmTest('a guest that resets itself without end ends', everywhere, async (t, machine) => {
	const {vm} = await machine({program: program('reset', output(0x64, 1, 0xfe), forever()), guestResetLimit: 3});
	await vm.start();
	t.deepEqual(await vm.ended, {kind: 'reset-loop', resets: 3});
});

const failing = "a device of the user's own whose back throws ends its machine with a line that names it";
// The example imports the built package, which unit tests do not need.
vmTest(failing, {on: ['kvm']}, async (t, machine) => {
	const module = join(process.cwd(), 'guide/examples/checksum.ts');
	// A disk that is full.
	const options = {port: '0x600', irq: '5', log: '/dev/full'};
	const {vm} = await machine({program: program('job', output(0x60c, 4, 1), forever()), devices: [{module, options}]});
	await vm.start();
	const end = await vm.ended;
	t.like(end, {kind: 'error', error: {code: 'DEVICE_FAILED'}});
	t.regex(JSON.stringify(end), /The device checksum failed \((start|notified)\): ENOSPC/);
	await vm.stop();
	t.is(vm.state, 'stopped');
});
