import test from 'ava';
import {
	exitCode,
	exitPort,
	type MicroKernel,
	outLoop,
	portInLoop,
	portInLoopUser,
	realModeHello,
	undefinedInstruction,
	userWork,
} from '#test/tmk';
import {Lockstep} from '#vcpu-worker/software/lockstep';
import {startKernel} from './guest-processor.ts';

/** More instructions than a kernel has that ends. */
const enough = 10_000_000;
const ends = {port: exitPort, value: exitCode.ok};

const kernels: Readonly<Record<string, MicroKernel>> = {
	portInLoop: portInLoop({count: 100, port: 0x80}),
	portInLoopUser: portInLoopUser({count: 100, port: 0x80}),
	outLoop: outLoop({count: 100, port: 0x80}),
	userWork: userWork({iterations: 100}),
	undefinedInstruction: undefinedInstruction({count: 100}),
	realModeHello: realModeHello(),
};

for (const [name, kernel] of Object.entries(kernels))
	test(`the translation of ${name} does what the interpreter does`, (t) => {
		const {processor, writes} = startKernel(kernel);
		const lockstep = new Lockstep(processor.core, processor.mmu);
		processor.lockstep = lockstep;
		processor.run(enough);
		t.deepEqual(writes.at(-1), ends);
		t.deepEqual(lockstep.descriptions, []);
		t.true(lockstep.counters.rounds > 0);
	});
