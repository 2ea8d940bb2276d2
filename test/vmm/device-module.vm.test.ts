import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {
	compute,
	endInterrupt,
	expect,
	forever,
	guestProgram,
	input,
	lineVector,
	openInterruptLine,
	output,
	sleepWhile,
	word,
} from '#test/guest-program';
import {everyBackEnd, irqchipsHere, vmTest} from '#test/petri';

const example = join(process.cwd(), 'guide/examples/checksum.ts');
const folder = mkdtempSync(join(tmpdir(), 'openvmm-device-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const [port, irq, address, length] = [0x600, 5, 0x10_0000, 16];
const [result, interrupts] = [word('result'), word('interrupts')];

/** Asks for the sum of its own first bytes, and sleeps until it is there. */
const program = (sum: number) =>
	guestProgram({
		name: 'job',
		main: [
			openInterruptLine(irq),
			output(port, 4, address),
			output(port + 4, 4, length),
			output(port + 12, 4, 1),
			sleepWhile([interrupts, '==', 0]),
			expect(result, '==', sum),
		],
		handlers: {[lineVector(irq)]: [input(result, port + 8, 4), compute(interrupts, 'add', 1), endInterrupt]},
	});
// The sum is no part of what is added up.
const sum = program(0)
	.kernel.image.subarray(0, length)
	.reduce((total, byte) => total + byte, 0);

for (const irqchip of irqchipsHere) {
	vmTest(
		`a device of the user's own does DMA and interrupts: irqchip ${irqchip}`,
		{on: everyBackEnd},
		async (t, machine) => {
			const log = join(folder, irqchip);
			const options = {port: String(port), irq: String(irq), log};
			const guest = await machine({irqchip, program: program(sum), devices: [{module: example, options}]});
			await guest.vm.start();
			t.deepEqual(await guest.vm.ended, {kind: 'exit', status: 1});
			t.is(readFileSync(log, 'utf8'), `1 jobs, last sum ${sum}\n`);
			t.like(await guest.inspect('vm/devices/checksum/state'), {result: sum, jobs: 1, done: 1});
		},
	);
}

vmTest('a device that the devices’ thread owns keeps what it is told', {on: everyBackEnd}, async (t, machine) => {
	const read = word('read');
	const set = (variable: number, value: number) => [output(port, 4, variable), output(port + 4, 4, value)];
	const store = guestProgram({
		name: 'variables',
		main: [...set(1, 42), ...set(2, 0x8000_0000), output(port, 4, 1), input(read, port + 4, 4), expect(read, '==', 42)],
	});
	const module = join(process.cwd(), 'guide/examples/variables.ts');
	const guest = await machine({program: store, devices: [{module, options: {port: String(port)}}]});
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, {kind: 'exit', status: 1});
});

const wrong = join(folder, 'wrong.mjs');
writeFileSync(wrong, 'export default {kind: "wrong"};');
const refused = [
	['a file that is not there', 'DEVICE_MODULE_UNLOADABLE', '/no/such.ts', {}],
	['a module without a model', 'DEVICE_MODULE_WRONG', wrong, {}],
	['options that the device does not know', 'CONFIG_KEY_UNKNOWN', example, {speed: '1'}],
] as const;
for (const [what, code, module, options] of refused) {
	vmTest(`${what} is an error that says so`, {on: everyBackEnd}, async (t, machine) => {
		await t.throwsAsync(machine({program: program(sum), devices: [{module, options}]}), {code});
	});
}

const failing = "a device of the user's own whose back throws ends its machine with a line that names it";
vmTest(failing, {on: everyBackEnd}, async (t, machine) => {
	// A disk that is full.
	const options = {port: String(port), irq: String(irq), log: '/dev/full'};
	const job = guestProgram({name: 'job', main: [output(port + 12, 4, 1), forever()]});
	const {vm} = await machine({program: job, devices: [{module: example, options}]});
	await vm.start();
	const end = await vm.ended;
	t.like(end, {kind: 'error', error: {code: 'DEVICE_FAILED'}});
	t.regex(JSON.stringify(end), /The device checksum failed \((start|notified)\): ENOSPC/);
	await vm.stop();
	t.is(vm.state, 'stopped');
});
