import {parseKeyValues, parseNumber} from '#support/options';
import {configError} from './errors.ts';
import type {MemoryConfig} from './memory-config.ts';
import {memoryKeys, memoryOf} from './memory-option.ts';
import type {NumaDistance, NumaNodeConfig} from './numa-config.ts';

/** A node as it is asked for; `vmConfig` adds the rest. */
export interface NumaNodeOptions extends Omit<NumaNodeConfig, 'memory'> {
	readonly memory: Partial<MemoryConfig>;
}

/** More nodes than any host has (Linux, NODES_SHIFT). */
const mostHostNodes = 1024;

/** More than any machine has, so that no list gets long. */
const highestProcessor = 1023;

const {file: _, ...nodeMemoryKeys} = memoryKeys;

/**
 * Parses `--numa`: `size=SIZE`, the other keys of `--memory` but `file`, `host_numa_node=N`, `vps=[0,1,4-5]`.
 * @throws CONFIG_VALUE_INVALID, CONFIG_NUMBER_RANGE, CONFIG_KEY_UNKNOWN, CONFIG_KEY_REPEATED, CONFIG_CONFLICT, CONFIG_REQUIRES
 */
export function parseNuma(text: string, option = '--numa'): NumaNodeOptions {
	// Items end at commas, and so do those of the list in brackets.
	const items = text.replace(/\[[^\]]*\]/g, (list) => list.replaceAll(',', ' '));
	const given = parseKeyValues(items, option, {...nodeMemoryKeys, host_numa_node: 'value', vps: 'value'});
	if (given.value('size') === undefined)
		throw configError('CONFIG_VALUE_INVALID', {option, value: text, expected: 'size=SIZE, such as size=2G'});
	const hostNode = given.value('host_numa_node');
	const vps = given.value('vps');
	return {
		memory: memoryOf(given, option),
		...(hostNode !== undefined && {
			hostNode: parseNumber(hostNode, `${option} host_numa_node`, 0, mostHostNodes - 1),
		}),
		...(vps !== undefined && {vps: parseList(vps, `${option} vps`)}),
	};
}

function parseList(text: string, option: string): number[] {
	const [, inner] = /^\[(.*)\]$/.exec(text) ?? [];
	if (inner === undefined) throw badList(text, option);
	const items = inner === '' ? [] : inner.split(' ');
	const number = (word: string) => parseNumber(word, option, 0, highestProcessor);
	return items.flatMap((item) => {
		const [first = '', last = first, ...rest] = item.split('-');
		const [from, to] = [number(first), number(last)];
		if (rest.length > 0 || to < from) throw badList(text, option);
		return Array.from({length: to - from + 1}, (_, index) => from + index);
	});
}

const badList = (text: string, option: string) =>
	configError('CONFIG_VALUE_INVALID', {
		option,
		value: text.replaceAll(' ', ','),
		expected: 'a list such as [0,1,4-5], or [] for none',
	});

/** Parses `--numa-distance`: `SRC:DST:DISTANCE`. @throws CONFIG_VALUE_INVALID, CONFIG_NUMBER_RANGE */
export function parseNumaDistance(text: string, option = '--numa-distance'): NumaDistance {
	const [from, to, distance, ...rest] = text.split(':');
	if (!from || !to || !distance || rest.length > 0)
		throw configError('CONFIG_VALUE_INVALID', {option, value: text, expected: 'SRC:DST:DISTANCE, such as 0:1:30'});
	const node = (word: string) => parseNumber(word, `${option} node`, 0, 0xffff_ffff);
	return {from: node(from), to: node(to), distance: parseNumber(distance, option, 10, 255)};
}
