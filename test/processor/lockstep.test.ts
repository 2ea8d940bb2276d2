import test from 'ava';
import {dword, eax, edi, rdi} from '#flowey/x86-assembler';
import {
	exitCode,
	exitPort,
	type MicroKernel,
	microKernel,
	outLoop,
	portInLoop,
	portInLoopUser,
	realModeHello,
	rewriting,
	undefinedInstruction,
	userWork,
} from '#test/tmk';
import {Lockstep} from '#vcpu-worker/software/lockstep';
import {Stop} from '#vcpu-worker/software/state';
import {type GuestProcessor, startKernel} from './guest-processor.ts';

/** More instructions than a kernel has that ends. */
const enough = 10_000_000;
const ends = {port: exitPort, value: exitCode.ok};
/** Within what kernels map, and no RAM. */
const deviceAddress = 0x1000_0000;

const kernels: Readonly<Record<string, MicroKernel>> = {
	portInLoop: portInLoop({count: 100, port: 0x80}),
	portInLoopUser: portInLoopUser({count: 100, port: 0x80}),
	outLoop: outLoop({count: 100, port: 0x80}),
	userWork: userWork({iterations: 100}),
	undefinedInstruction: undefinedInstruction({count: 100}),
	realModeHello: realModeHello(),
	rewriting: rewriting(20),
};

function runInLockstep(kernel: MicroKernel, prepare: (guest: GuestProcessor) => void = () => {}) {
	const guest = startKernel(kernel);
	prepare(guest);
	const {processor} = guest;
	const lockstep = new Lockstep(processor.core, processor.mmu);
	processor.lockstep = lockstep;
	processor.run(enough);
	return {lockstep, guest};
}

for (const [name, kernel] of Object.entries(kernels))
	test(`the translation of ${name} does what the interpreter does`, (t) => {
		const {lockstep, guest} = runInLockstep(kernel);
		t.deepEqual(guest.writes.at(-1), ends);
		t.deepEqual(lockstep.descriptions, []);
		t.true(lockstep.counters.rounds > 0);
	});

const deviceKernel = microKernel('device', ({mov, add}, {exit}) => {
	mov(edi, deviceAddress);
	mov(eax, dword(rdi, 4));
	add(eax, 1);
	mov(dword(rdi, 8), eax);
	exit(exitCode.ok);
});

test('devices see each access of a block once, and both runs the same values', (t) => {
	const seen: string[] = [];
	let value = 7;
	const {lockstep} = runInLockstep(deviceKernel, ({processor}) => {
		processor.mmu.devices = {
			read: (gpa, bytes) => {
				seen.push(`read ${gpa - deviceAddress} ${bytes}`);
				return value++;
			},
			write: (gpa, bytes, written) => void seen.push(`write ${gpa - deviceAddress} ${bytes} ${written}`),
		};
	});
	t.deepEqual(lockstep.descriptions, []);
	t.deepEqual(seen, ['read 4 4', 'write 8 4 8']);
});

test('a translation that does something else is told, and what the interpreter has done stays', (t) => {
	const kernel = userWork({iterations: 100});
	const {lockstep, guest} = runInLockstep(kernel, ({processor}) => {
		const {state} = processor.core;
		processor.core.runTranslation = () => {
			state.rip = 0n;
			state.general[0] = 1n;
			return Stop.lookup;
		};
	});
	t.deepEqual(guest.writes.at(-1), ends);
	t.is(lockstep.counters.differences, lockstep.counters.rounds);
	t.regex(lockstep.descriptions[0] ?? '', /^at [0-9a-f]+, [0-9a-f]+ \(.*\): .*state at/);
});
