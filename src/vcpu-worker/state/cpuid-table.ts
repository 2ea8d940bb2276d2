import {mapOf, type SavedValue, stateError} from '#support/saved-state';
import type {CpuidEntry} from '#vcpu-worker/cpuid';

/** More than any processor has: what KVM takes (`KVM_MAX_CPUID_ENTRIES`). */
const maxEntries = 256;

type Key = Pick<CpuidEntry, 'function' | 'index' | 'significantIndex'>;
type Answer = Omit<CpuidEntry, keyof Key>;

const key = {
	name: ({function: leaf, index, significantIndex}: Key) =>
		significantIndex ? `0x${leaf.toString(16)}.${index.toString(16)}` : `0x${leaf.toString(16)}`,
	parse(name: string): Key | undefined {
		const found = /^0x([0-9a-f]{1,8})(?:\.([0-9a-f]{1,8}))?$/.exec(name);
		if (found === null) return undefined;
		const [, leaf = '', index] = found;
		return {
			function: Number.parseInt(leaf, 16),
			index: index === undefined ? 0 : Number.parseInt(index, 16),
			significantIndex: index !== undefined,
		};
	},
};

const registers = ['eax', 'ebx', 'ecx', 'edx'] as const;

/** EAX to EDX as 32 hexadecimal digits. */
const answer: SavedValue<Answer> = {
	save: (value) => registers.map((name) => value[name].toString(16).padStart(8, '0')).join(' '),
	parse(saved, path) {
		const words = typeof saved === 'string' ? saved.split(' ', 5) : [];
		if (words.length !== 4 || words.some((word) => !/^[0-9a-f]{8}$/.test(word)))
			throw stateError('STATE_FIELD_WRONG', {struct: 'vcpu', field: path.replace(/^vcpu\./, '')});
		const [eax = 0, ebx = 0, ecx = 0, edx = 0] = words.map((word) => Number.parseInt(word, 16));
		return {eax, ebx, ecx, edx};
	},
};

const table = mapOf(key, answer, maxEntries);

/** Answers of CPUID: `0x7.0`, leaf and subleaf, or `0x1` where the subleaf does not matter. */
export const cpuidTable: SavedValue<readonly CpuidEntry[]> = {
	save: (entries) => table.save(new Map(entries.map((entry) => [entry, entry]))),
	parse: (saved, path) => [...table.parse(saved, path)].map(([place, held]) => ({...place, ...held})),
};
