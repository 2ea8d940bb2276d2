import test from 'ava';
import {hasQemu} from '#flowey/embedded-guest/testing';
import {Random} from '#test/silicon';
import {describe, differences, generate, runInQemu, runOnSoftware} from './second-opinion/index.ts';

const isRunnable = hasQemu();
const testInQemu = isRunnable ? test.serial : test.serial.skip;
const reason = isRunnable ? '' : ' (skipped: qemu-system-x86_64 is not installed)';
const seed = Number(process.env['OPENVMM_SEED'] ?? 1);
const count = Number(process.env['OPENVMM_QEMU_CASES'] ?? 800);

testInQemu(`code of 16 and 32 bits does what it does in QEMU${reason}`, async (t) => {
	const random = new Random(seed);
	const cases = Array.from({length: count}, () => generate(random));
	const inputs = cases.map(({input}) => input);
	const [ours, theirs] = [runOnSoftware(inputs), await runInQemu(inputs)];
	const wrong = cases.flatMap((one, index) => {
		const found = differences(one, ours[index] as Uint8Array, theirs[index] as Uint8Array);
		return found.length === 0 ? [] : [describe(one, found)];
	});
	t.deepEqual(wrong.slice(0, 20), []);
	// Nobody compares nothing with nothing.
	t.true(theirs.every((result) => result.some((byte) => byte !== 0)));
});
