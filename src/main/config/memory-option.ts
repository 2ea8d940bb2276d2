import {type KeyTable, type KeyValues, parseKeyValues, parseSize} from '#support/options';
import {configError} from './errors.ts';
import type {MemoryConfig} from './memory-config.ts';

/** The keys of `--memory`. */
export const memoryKeys = {
	size: 'value',
	shared: 'flag',
	prefetch: 'flag',
	thp: 'flag',
	hugepages: 'flag',
	hugepage_size: 'value',
	file: 'value',
} as const satisfies KeyTable;

/**
 * Parses `--memory`: a bare size, or `size=…,shared[=on|off],prefetch[=on|off],thp[=on|off],
 * hugepages[=on|off],hugepage_size=…,file=PATH`. Keys that are absent are absent in the result, so that
 * {@link vmConfig} gives them their defaults.
 * @throws the errors of {@link parseSize} and {@link parseKeyValues}; CONFIG_CONFLICT and
 * CONFIG_REQUIRES for combinations that exclude each other
 */
export function parseMemory(text: string, option = '--memory'): Partial<MemoryConfig> {
	if (!/[=,]/.test(text) && !Object.hasOwn(memoryKeys, text)) return {sizeBytes: parseSize(text, option)};
	return memoryOf(parseKeyValues(text, option, memoryKeys), option);
}

/** Memory as the keys that were given have it. @throws as {@link parseMemory} */
export function memoryOf(given: KeyValues, option: string): Partial<MemoryConfig> {
	const size = given.value('size');
	const hugepageSize = given.value('hugepage_size');
	const memory = dropUndefined({
		sizeBytes: size === undefined ? undefined : parseSize(size, `${option} size`),
		shared: given.flag('shared'),
		prefetch: given.flag('prefetch'),
		thp: given.flag('thp'),
		hugepages: given.flag('hugepages'),
		hugepageSizeBytes: hugepageSize === undefined ? undefined : parseSize(hugepageSize, `${option} hugepage_size`),
		file: given.value('file'),
	});
	for (const problem of memoryConflicts(memory, option)) throw problem;
	return memory;
}

/** The combinations of memory options that exclude each other, as errors. */
export function memoryConflicts(memory: Partial<MemoryConfig>, option = '--memory') {
	const problems = [];
	if (memory.hugepageSizeBytes !== undefined && !memory.hugepages) {
		problems.push(configError('CONFIG_REQUIRES', {option, first: 'hugepage_size', needed: 'hugepages=on'}));
	}
	if (memory.hugepages && memory.shared === false) problems.push(conflict(option, 'hugepages=on', 'shared=off'));
	if (memory.hugepages && memory.file !== undefined) problems.push(conflict(option, 'hugepages=on', 'file=PATH'));
	if (memory.file !== undefined && memory.shared === false) problems.push(conflict(option, 'file=PATH', 'shared=off'));
	return problems;
}

function conflict(option: string, first: string, second: string) {
	return configError('CONFIG_CONFLICT', {option, first, second, remedy: 'Leave out one of the two'});
}

type Defined<T> = {[K in keyof T]?: Exclude<T[K], undefined>};

function dropUndefined<T extends object>(values: T): Defined<T> {
	return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}
