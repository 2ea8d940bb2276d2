import {optionError, parseNumber} from '#support/options';
import {suggestion} from '#support/suggestion';
import {
	type CpuChoice,
	type CpuModelName,
	canonicalName,
	cpuFeature,
	cpuModelNames,
	decidedElsewhere,
	featureNames,
	hostCpu,
	withDependents,
} from '#vcpu-worker/cpuid';
import {configError} from './errors.ts';

const option = '--cpu';
/** Frequencies that KVM can count (an int of kHz), and below which nothing counts. */
export const tscKhzRange = {min: 1000, max: 100_000_000} as const;

/**
 * Parses `--cpu`: `MODEL[,+FEATURE…][,-FEATURE…][,tsc_khz=KHZ]`.
 * @throws CONFIG_CPU_MODEL, CONFIG_CPU_FEATURE, CONFIG_CPU_DECIDED, CONFIG_KEY_UNKNOWN, CONFIG_KEY_REPEATED, CONFIG_NUMBER_RANGE
 */
export function parseCpu(text: string): CpuChoice {
	const [model = '', ...items] = text.split(',');
	const key = 'tsc_khz';
	const signed = (sign: string) => items.filter((item) => item.startsWith(sign)).map((item) => item.slice(1));
	const others = items.filter((item) => !/^[+-]/.test(item)).map((item) => item.split(/=(.*)/s, 2));
	const unknown = others.find(([name]) => name !== key);
	if (unknown !== undefined)
		throw optionError('CONFIG_KEY_UNKNOWN', {option, key: unknown[0] ?? '', allowed: [key, '+FEATURE', '-FEATURE']});
	if (others.length > 1) throw optionError('CONFIG_KEY_REPEATED', {option, key});
	const {min, max} = tscKhzRange;
	const [, khz] = others[0] ?? [];
	const choice = {
		...{model: model as CpuModelName, with: signed('+'), without: signed('-')},
		...(others.length > 0 && {tscKhz: parseNumber(khz ?? '', `${option} ${key}`, min, max)}),
	};
	for (const problem of cpuProblems(choice)) throw problem;
	return choice;
}

/** What is wrong with a choice of processor, whatever host it is for. */
export function* cpuProblems(choice: CpuChoice): Generator<ReturnType<typeof configError>> {
	const {model} = choice;
	if (!cpuModelNames.includes(model))
		yield configError('CONFIG_CPU_MODEL', {model, near: suggestion(model, cpuModelNames), known: cpuModelNames});
	for (const name of [...choice.with, ...choice.without]) {
		const feature = cpuFeature(name);
		const by = feature && decidedElsewhere[feature.name];
		if (feature === undefined) yield configError('CONFIG_CPU_FEATURE', {name, near: suggestion(name, featureNames)});
		else if (by !== undefined) yield configError('CONFIG_CPU_DECIDED', {name, by});
	}
	for (const name of choice.with) {
		const other = choice.without.find((without) => withDependents(canonicalName(without)).has(canonicalName(name)));
		if (other === undefined) continue;
		yield configError('CONFIG_CONFLICT', {
			...{option, first: `+${name}`, second: `-${other}`},
			remedy: 'Leave out one of the two',
		});
	}
}

/** A choice as `--cpu` writes it. */
export const cpuText = ({model, with: more, without, tscKhz}: CpuChoice = hostCpu): string =>
	[
		model,
		...more.map((name) => `+${name}`),
		...without.map((name) => `-${name}`),
		...(tscKhz === undefined ? [] : [`tsc_khz=${tscKhz}`]),
	].join(',');
