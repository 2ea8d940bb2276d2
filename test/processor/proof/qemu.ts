import {hasQemu} from '#flowey/embedded-guest/testing';
import {Random} from '#test/silicon';
import {describe, differences, generate, isLeftOut, runInQemu, runOnSoftware} from '../second-opinion/index.ts';
import {Findings, type ProofPart} from './part.ts';

const modeNames = {
	inner32: '32-bit, privilege 0',
	inner16: '16-bit, privilege 0',
	outer32: '32-bit, privilege 3',
	outer16: '16-bit, privilege 3',
	virtual: 'virtual-8086 mode',
	real: 'real mode',
} as const;

/** What no user mode of the host can run: code of 16 and 32 bits, its privileges, segments and exceptions. */
export const qemu: ProofPart = {
	name: 'qemu',
	title: 'code of 16 and 32 bits does what it does in QEMU',
	oracle: 'QEMU TCG',
	unit: 'cases',
	daily: 800,
	whole: 40_000,
	share: 800,
	threads: 1,
	obstacle: () => (hasQemu() ? undefined : 'qemu-system-x86_64 is not installed'),
	async run({seed, first, count}) {
		const random = new Random(seed);
		const cases = Array.from({length: count}, (_, index) => {
			random.restart(seed, first + index);
			return generate(random);
		});
		const inputs = cases.map(({input}) => input);
		const [ours, theirs] = [runOnSoftware(inputs), await runInQemu(inputs)];
		const findings = new Findings();
		let leftOut = 0;
		for (const [index, one] of cases.entries()) {
			const [own, other] = [ours[index] as Uint8Array, theirs[index] as Uint8Array];
			const isWrong = isLeftOut(one, own, other);
			if (isWrong) leftOut++;
			// Nobody compares nothing with nothing.
			const isThere = other.some((byte) => byte !== 0);
			const found = !isThere ? ['QEMU has left nothing'] : isWrong ? [] : differences(one, own, other);
			findings.add(
				found,
				() => `case ${first + index}, ${describe(one, found)}`,
				`${modeNames[one.mode]}: ${one.form.form.name}`,
			);
		}
		return findings.result({'of errors of QEMU': leftOut});
	},
};
