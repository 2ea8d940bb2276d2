import {toJson, toText} from '#support/inspect';
import {integer, toggle, treePath, word} from './kinds.ts';
import {operation} from './operation.ts';

/** Deeper than any tree. */
const wholeDepth = 64;

export const status = operation({
	name: 'status',
	help: 'the state of the machine',
	params: {},
	result: '`state`',
	socketOnly: true,
	run: async ({state}) => ({state}),
});

const timeoutMs = {
	kind: integer(1, 60_000),
	flag: 'timeout',
	placeholder: 'MS',
	optional: true,
	help: 'milliseconds that a part of the tree has to answer, 1000 without this',
} as const;

export const update = operation({
	name: 'update',
	help: 'change a writable value of the tree; on a line it is `inspect -u`',
	params: {
		path: {kind: treePath, placeholder: 'PATH', help: 'where it is'},
		value: {
			kind: word,
			flag: 'update',
			short: 'u',
			placeholder: 'VALUE',
			help: 'change the value at the path, where it says "writable"',
		},
		timeoutMs,
	},
	result: 'the node at the path, as it is then',
	socketOnly: true,
	run: (vm, {path, value, timeoutMs: wait}) => vm.update(path, value, wait === undefined ? {} : {timeoutMs: wait}),
	print: toText,
	json: toJson,
});

export const inspect = operation({
	name: 'inspect',
	letter: 'x',
	help: 'show what the machine is doing, as a tree: registers, devices, memory, threads; or with -u change it',
	params: {
		path: {kind: treePath, placeholder: 'PATH', optional: true, help: 'what to show; without it the whole machine'},
		recursive: {kind: toggle, flag: 'recursive', short: 'r', optional: true, help: 'open all objects below the path'},
		depth: {
			kind: integer(0, wholeDepth),
			flag: 'limit',
			short: 'l',
			placeholder: 'DEPTH',
			optional: true,
			help: 'open objects this deep',
		},
		safe: {
			kind: toggle,
			flag: 'safe',
			optional: true,
			help: 'leave out what is marked as sensitive: guest data, host addresses',
		},
		timeoutMs,
	},
	instead: {flag: 'update', operation: update},
	result: 'the node at the path: `kind` with `value`, `children`, or `why` there is nothing to show',
	run: (vm, {path = '', recursive = false, depth = recursive ? wholeDepth : 1, safe = false, timeoutMs: wait = 1000}) =>
		vm.inspect(path, {depth, safe, timeoutMs: wait}),
	print: toText,
	json: toJson,
});
