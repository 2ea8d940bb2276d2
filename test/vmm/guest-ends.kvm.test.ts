import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {al, createAssembler, dx, eax} from '#flowey/x86-assembler';
import type {VmOptions} from '#main/config';
import type {CreateOptions} from '#main/vm';
import {debugExit, testVm} from '#test/petri';

const fixture = (name: string) => join(process.cwd(), 'test/fixtures', name);
const folder = mkdtempSync(join(tmpdir(), 'openvmm-ends-'));
test.after.always(() => rmSync(folder, {recursive: true}));

/** Runs a flat image in 64-bit mode. */
const run = async (t: ExecutionContext, image: string, options: VmOptions = {}, create: CreateOptions = {}) => {
	const boot = {kind: 'flat', image, address: 0x100000, mode: 'long'} as const;
	const devices = [debugExit(), ...(options.devices ?? [])];
	const guest = await testVm(t, {boot, ...options, devices}, create);
	await guest.vm.start();
	return guest;
};

/** Code that runs as the whole guest. */
function image(name: string, emit: (asm: ReturnType<typeof createAssembler>) => void): string {
	const asm = createAssembler({origin: 0x100000, bits: 64});
	emit(asm);
	const path = join(folder, name);
	writeFileSync(path, asm.finish().bytes);
	return path;
}

test.serial('a write to the power-off port of QEMU powers off', async (t) => {
	const {vm} = await run(t, fixture('off.bin'));
	t.deepEqual(await vm.ended, {kind: 'power-off'});
});

test.serial('a guest halted with interrupts off is said to be, once, and stays', async (t) => {
	let told = 0;
	const stuck = Promise.withResolvers<void>();
	const guest = await run(t, fixture('halt.bin'), {processors: {count: 2}}, {stuck: () => stuck.resolve(void told++)});
	await stuck.promise;
	t.like(await guest.inspect('vm'), {state: 'running', haltedForGood: true});
	await guest.vm.pause();
	await guest.vm.resume();
	t.is(told, 1);
	t.is(guest.vm.state, 'running');
});

test.serial('what follows it can be chosen', async (t) => {
	const {vm} = await run(t, fixture('halt.bin'), {guestActions: {halt: {exit: 9}}});
	t.deepEqual(await vm.ended, {kind: 'halt', status: 9});
});

test.serial('a guest that resets itself without end ends', async (t) => {
	const reset = image('reset', (asm) => {
		asm.mov(al, 0xfe);
		asm.out(0x64, al);
		asm.label('wait');
		asm.jmp('wait');
	});
	const {vm} = await run(t, reset, {guestResetLimit: 3});
	t.deepEqual(await vm.ended, {kind: 'reset-loop', resets: 3});
});

test.serial("a device of the user's own whose back throws ends its machine with a line that names it", async (t) => {
	const job = image('job', (asm) => {
		asm.mov(dx, 0x60c);
		asm.mov(eax, 1);
		asm.out(dx, eax);
		asm.label('wait');
		asm.jmp('wait');
	});
	const module = join(process.cwd(), 'guide/examples/checksum.ts');
	// A disk that is full.
	const options = {port: '0x600', irq: '5', log: '/dev/full'};
	const {vm} = await run(t, job, {devices: [{module, options}]});
	const end = await vm.ended;
	t.like(end, {kind: 'error', error: {code: 'DEVICE_FAILED'}});
	t.regex(JSON.stringify(end), /The device checksum failed \((start|notified)\): ENOSPC/);
	await vm.stop();
	t.is(vm.state, 'stopped');
});
