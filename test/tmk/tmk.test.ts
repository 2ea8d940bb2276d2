import test from 'ava';
import {hasQemu, runInQemu} from '#flowey/embedded-guest/testing';
import {
	apicTimer,
	exitCode,
	halt,
	type MicroKernel,
	microKernel,
	outLoop,
	portInLoop,
	portInLoopUser,
	realModeHello,
	selfIpi,
	tripleFault,
	undefinedInstruction,
	userWork,
	wrapForPvh,
} from './index.ts';

const isRunnable = hasQemu();
const testInQemu = isRunnable ? test.serial : test.serial.skip;
const reason = isRunnable ? '' : ' (skipped: qemu-system-x86_64 is not installed)';
/** Gives QEMU's exit status for a value at its exit device. */
const statusOf = (code: number): number => 2 * code + 1;
const runKernel = (kernel: MicroKernel) => runInQemu({image: wrapForPvh(kernel)});

for (const kernel of [
	portInLoop({count: 1000, port: 0x61}),
	portInLoopUser({count: 1000, port: 0x61}),
	outLoop({count: 1000, port: 0x80}),
	undefinedInstruction({count: 100}),
	selfIpi({count: 100}),
	apicTimer({count: 10, ticks: 100_000}),
	userWork({iterations: 1_000_000}),
]) {
	testInQemu(`in QEMU: ${kernel.name} ends with success${reason}`, async (t) => {
		t.is((await runKernel(kernel)).status, statusOf(exitCode.ok));
	});
}

testInQemu(`in QEMU: an exception that a kernel does not expect ends it with its own code${reason}`, async (t) => {
	const kernel = microKernel('oops', (asm) => asm.ud2());
	t.is((await runKernel(kernel)).status, statusOf(exitCode.unexpected));
});

testInQemu(`in QEMU: triple-fault resets the machine${reason}`, async (t) => {
	t.is((await runKernel(tripleFault())).status, 0);
});

testInQemu(`in QEMU: real-mode-hello runs as a boot sector${reason}`, async (t) => {
	const {output, status} = await runInQemu({image: realModeHello().image, isBootSector: true});
	t.regex(output, /real mode\r\n$/);
	t.is(status, statusOf(exitCode.ok));
});

test('a kernel names its places', (t) => {
	const kernel = portInLoopUser({count: 1, port: 0x80});
	t.is(kernel.userEntry, kernel.addressOf('user'));
	t.is(kernel.pageTables, kernel.addressOf('page-tables'));
	t.is(kernel.entry, 0x100000);
	t.throws(() => kernel.addressOf('nowhere'), {message: 'Kernel port-in-loop-user has no label nowhere'});
});

test('kernels that cannot be built are refused', (t) => {
	t.throws(() => microKernel('huge', (asm) => asm.zeros(0x10_0000)), {message: 'Kernel huge runs into its stacks'});
	t.throws(() => wrapForPvh(realModeHello()), {message: 'Kernel real-mode-hello is not a 64-bit one'});
	t.is(halt().userEntry, undefined);
});
