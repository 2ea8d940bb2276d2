import {type Children, type InspectNode, leaf, nodeName, object} from './node.ts';

/** Arrays up to this length are shown on one line when they hold nothing but numbers and text. */
const longestLine = 16;

/** Plain data as a node: objects and arrays become objects, what is null or undefined is not there. */
export function dataNode(data: unknown): InspectNode | undefined {
	switch (typeof data) {
		case 'string':
			// The query of an address may have a signature by which anybody can read what is there.
			return /^https?:[^?]*\?/.test(data) ? leaf(() => data, {sensitive: true}) : data;
		case 'number':
		case 'bigint':
		case 'boolean':
			return data;
		case 'object':
			if (data === null) return undefined;
			if (Array.isArray(data) && data.length <= longestLine && data.every(isPlain)) return data.join(' ');
			return object(() => dataChildren(data));
		default:
			return undefined;
	}
}

/** The properties of plain data as nodes. */
export const dataChildren = (data: object): Children =>
	Object.fromEntries(Object.entries(data).map(([name, value]) => [nodeName(name), dataNode(value)]));

const isPlain = (item: unknown) => typeof item === 'number' || typeof item === 'string';
