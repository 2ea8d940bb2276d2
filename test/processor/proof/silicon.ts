import {
	avxForms,
	bmiForms,
	cryptoForms,
	describeCase,
	differences,
	type Form,
	formsOfHost,
	integerForms,
	mmxForms,
	ProcessorState,
	Silicon,
	siliconObstacle,
	sse3Forms,
	sse4Forms,
	sseForms,
	x87Forms,
} from '#test/silicon';
import {UserModeProcessor} from '../user-mode-processor.ts';
import {Findings, type ProofPart, type ShareResult} from './part.ts';

const floatingPoint = /^(r?sqrt|rcp|add|sub|mul|div|min|max|cmp|u?comis|cvt|hadd|hsub|round|dpp|fn?m)/;
const vectorForms = [...sseForms, ...sse3Forms, ...sse4Forms, ...cryptoForms].filter(({unit}) => unit === 'sse');
const isFloat = ({mnemonic}: Form) => floatingPoint.test(mnemonic.replace(/^v/, ''));

interface Group {
	readonly title: string;
	readonly forms: readonly Form[];
	readonly daily: number;
	readonly whole: number;
}

/** Forms that the host's processor judges: every deterministic one that 64-bit user mode can run. */
export const siliconGroups = {
	integer: {
		title: "integer instructions do what the host's processor does",
		forms: [...integerForms, ...bmiForms],
		daily: 40_000,
		whole: 4_000_000,
	},
	xmm: {
		title: "moves and packed integers of XMM registers do what the host's processor does",
		forms: vectorForms.filter((form) => !isFloat(form)),
		daily: 25_000,
		whole: 2_000_000,
	},
	float: {
		title: "floating point of XMM registers does what the host's processor does",
		forms: vectorForms.filter(isFloat),
		daily: 25_000,
		whole: 2_000_000,
	},
	ymm: {
		title: "moves and packed integers of AVX and AVX2 do what the host's processor does",
		forms: avxForms.filter((form) => !isFloat(form)),
		daily: 25_000,
		whole: 2_000_000,
	},
	wideFloat: {
		title: "floating point of AVX does what the host's processor does",
		forms: avxForms.filter(isFloat),
		daily: 25_000,
		whole: 2_000_000,
	},
	mmx: {
		title: "instructions on MMX registers do what the host's processor does",
		forms: [...mmxForms, ...sse3Forms].filter(({unit}) => unit === 'mmx'),
		daily: 10_000,
		whole: 1_000_000,
	},
	x87: {title: "the x87 does what the host's does", forms: x87Forms, daily: 20_000, whole: 2_000_000},
} as const satisfies Readonly<Record<string, Group>>;

/** All forms that are compared with the host's processor. */
export const siliconForms: readonly Form[] = Object.values(siliconGroups).flatMap(({forms}) => forms);

/** Names of parts of the instruction set, by what the kernel calls a feature. */
const sets: Readonly<Record<string, string>> = {pni: 'SSE3', sse4_1: 'SSE4.1', sse4_2: 'SSE4.2', fpu: 'x87'};

/** The part of the instruction set that a form is of. */
function groupOf({unit, feature}: Form): string {
	const set = feature === undefined ? '' : (sets[feature] ?? feature.toUpperCase());
	if (unit === undefined) return set === '' ? 'integer' : `integer, ${set}`;
	return unit === 'mmx' && set !== 'MMX' ? `MMX registers, ${set}` : set;
}

/** Each case is one instruction from any state: all that the manual defines is compared, an exception too. */
export const siliconParts: readonly ProofPart[] = Object.entries(siliconGroups).map(([name, group]) => ({
	name,
	title: group.title,
	oracle: 'silicon',
	unit: 'cases',
	daily: group.daily,
	whole: group.whole,
	share: 50_000,
	threads: 1,
	obstacle: siliconObstacle,
	run({seed, first, count}): ShareResult {
		const processor = new UserModeProcessor();
		using silicon = new Silicon();
		const after = ProcessorState.on(new SharedArrayBuffer(ProcessorState.byteLength));
		const findings = new Findings();
		for (const batch of silicon.batches({seed, first, count, forms: formsOfHost(group.forms)})) {
			for (const one of batch) {
				processor.run(one.record, after);
				const unlike = differences(one.record.after, after, one.mask);
				findings.add(unlike, () => describeCase(one), `${groupOf(one.form)}: ${one.form.name}`);
			}
		}
		return findings.result();
	},
}));
