import type {VmmError} from '#support/errors';
import {invalidValue, type PathHost, type ValueType} from '#support/options';
import {nestedOption} from './disk-kind.ts';
import {type DiskSource, mostDisks} from './disk-source.ts';
import {diskForms, kindNamed, kindOf, kindOfPrefix} from './kinds.ts';

/**
 * A disk, written as OpenVMM has it: mem:LEN, PATH, file:PATH;direct;create=LEN, and layers with the disks that they lie over. The format is stated
 * or taken from the name, and never from what is in the file, which a guest can write.
 */
export const diskOption: ValueType<DiskSource> = {
	placeholder: 'DISK',
	parse: (text, option) => parse(text, option, {disks: 0}),
	check: (value, option) => check(value, option, {disks: 0}),
	checkHost,
};

/** Disks of one that have been met. */
interface Met {
	disks: number;
}

function parse(text: string, option: string, met: Met): DiskSource {
	if (++met.disks > mostDisks) throw tooMany(option, text);
	const [, prefix = 'file', words = '', rest = text] = /^([a-z][a-z0-9-]*)((?:;[^:]*)?):(.*)$/s.exec(text) ?? [];
	const kind = kindOfPrefix(prefix);
	if (kind === undefined) throw invalidValue(option, text, diskForms);
	return kind.parse({option, words, rest, nested: (below, named) => parse(below, named, met)});
}

function check(value: unknown, option: string, met: Met): VmmError | undefined {
	const fields = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
	const kind = kindNamed(fields['kind']);
	if (kind === undefined || !kind.isRight(fields)) return invalidValue(option, value, diskForms);
	const disks = kind.disks?.(value as DiskSource) ?? [];
	if (++met.disks > mostDisks) return tooMany(option, value);
	return first(disks, (disk, index) => check(disk, nestedOption(option, kind.prefix, index, disks.length), met));
}

const tooMany = (option: string, value: unknown): VmmError =>
	invalidValue(option, value, `at most ${mostDisks} disks over and beside each other`);

function checkHost(source: DiskSource, option: string, host: PathHost): VmmError | undefined {
	const kind = kindOf(source);
	const disks = kind.disks?.(source) ?? [];
	return (
		kind.checkHost?.(source, option, host) ??
		first(disks, (disk, index) => checkHost(disk, nestedOption(option, kind.prefix, index, disks.length), host))
	);
}

function first<T, R>(list: readonly T[], find: (each: T, index: number) => R | undefined): R | undefined {
	for (const [index, each] of list.entries()) {
		const found = find(each, index);
		if (found !== undefined) return found;
	}
	return undefined;
}
