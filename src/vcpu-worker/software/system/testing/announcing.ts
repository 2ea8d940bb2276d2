import {Feature} from '#vcpu-worker/software/decode';
import type {Outside} from '#vcpu-worker/software/system/registers';

/** Answers of CPUID that announce all features which change anything here, but for some. */
export function announcing(...except: readonly Feature[]): Outside['cpuid'] {
	const announced = Object.values(Feature).filter((feature) => !except.includes(feature));
	return (leaf, subleaf) => {
		const answer: [number, number, number, number] = [0, 0, 0, 0];
		for (const [number, second, register, bit] of announced)
			if (number === leaf && second === subleaf) answer[register] |= 1 << bit;
		return answer;
	};
}
