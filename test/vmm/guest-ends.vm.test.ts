import {crash, forever, guestProgram, halt, interrupts, output, type Statement} from '#test/guest-program';
import {everyBackEnd, vmTest} from '#test/petri';

const everywhere = {on: everyBackEnd};
const program = (name: string, ...main: readonly Statement[]) => guestProgram({name, main});
const resets = program('reset', output(0x64, 1, 0xfe), forever());
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

vmTest('a reset can be made to end the machine', everywhere, async (t, machine) => {
	const {vm} = await machine({program: resets, guestActions: {reset: {exit: 9}}});
	await vm.start();
	t.deepEqual(await vm.ended, {kind: 'exit', status: 9});
});

vmTest('a guest that resets itself without end ends', everywhere, async (t, machine) => {
	const {vm} = await machine({program: resets, guestResetLimit: 3});
	await vm.start();
	t.deepEqual(await vm.ended, {kind: 'reset-loop', resets: 3});
});
