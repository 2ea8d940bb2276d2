import {Deadline, noAnswer} from './deadline.ts';
import {inspectError} from './errors.ts';
import {findNode, presentChildren} from './find.ts';
import type {InspectNode, LeafNode, ObjectNode, Value} from './node.ts';
import type {InspectResult} from './result.ts';

/** Limits of a request for the tree. */
export interface InspectOptions {
	/** Levels of objects that are opened: 1 shows what is in the object at the path. Default 1. */
	readonly depth?: number;
	/** Time that owners have to answer. Default 1000. */
	readonly timeoutMs?: number;
	/** Leaves out what is sensitive. */
	readonly safe?: boolean;
}

/** Deeper than any tree. */
const maxDepth = 64;
const defaultTimeoutMs = 1000;

/**
 * Evaluates the part of the tree at `path`. What does not answer in time is `unresolved`; the rest is there.
 * @throws VmmError INSPECT_PATH_NOT_FOUND, INSPECT_PATH_BELOW_VALUE, INSPECT_NO_ANSWER for the path itself
 */
export async function inspectTree(
	root: InspectNode,
	path: string,
	{depth = 1, timeoutMs = defaultTimeoutMs, safe = false}: InspectOptions = {},
): Promise<InspectResult> {
	using deadline = new Deadline(timeoutMs);
	const {node, isSensitive} = await findNode(root, path, deadline);
	if (isSensitive && safe) return {kind: 'unresolved', why: 'sensitive'};
	// Awaited here: the deadline lasts until then.
	return await evaluate(node, Math.min(depth, maxDepth), {deadline, safe});
}

/**
 * Gives the leaf at `path` the value that `text` says. Returns what the leaf holds then.
 * @throws VmmError as {@link inspectTree}, and INSPECT_READ_ONLY, INSPECT_VALUE_INVALID
 */
export async function updateTree(
	root: InspectNode,
	path: string,
	text: string,
	{timeoutMs = defaultTimeoutMs}: Pick<InspectOptions, 'timeoutMs'> = {},
): Promise<InspectResult> {
	using deadline = new Deadline(timeoutMs);
	const {node} = await findNode(root, path, deadline);
	if (typeof node !== 'object') throw inspectError('INSPECT_READ_ONLY', {path, what: 'a read-only value'});
	if (node.kind === 'object') throw inspectError('INSPECT_READ_ONLY', {path, what: 'no value'});
	if (node.writer === undefined) throw inspectError('INSPECT_READ_ONLY', {path, what: 'a read-only value'});
	const taken = await deadline.wait(node.writer.write(text));
	if (taken === noAnswer) throw inspectError('INSPECT_NO_ANSWER', {path, timeoutMs});
	if (!taken) throw inspectError('INSPECT_VALUE_INVALID', {path, value: text, expected: node.writer.expected});
	return await evaluate(node, 0, {deadline, safe: false});
}

interface Query {
	readonly deadline: Deadline;
	readonly safe: boolean;
}

async function evaluate(node: InspectNode, depth: number, query: Query): Promise<InspectResult> {
	if (typeof node !== 'object') return {kind: 'value', ...plain(node, undefined)};
	if (node.sensitive && query.safe) return {kind: 'unresolved', why: 'sensitive'};
	try {
		return node.kind === 'leaf' ? await evaluateLeaf(node, query) : await evaluateObject(node, depth, query);
	} catch (error) {
		return {kind: 'error', message: error instanceof Error ? error.message : String(error)};
	}
}

async function evaluateLeaf(node: LeafNode, {deadline}: Query): Promise<InspectResult> {
	const value = await deadline.wait(node.read());
	if (value === noAnswer) return {kind: 'unresolved', why: 'timeout'};
	return {
		kind: 'value',
		...plain(value, node.format),
		...(node.unit && {unit: node.unit}),
		...(node.sensitive && {sensitive: true}),
		...(node.writer && {writable: true}),
	};
}

async function evaluateObject(node: ObjectNode, depth: number, query: Query): Promise<InspectResult> {
	if (depth <= 0) return {kind: 'unresolved', why: 'depth'};
	const children = await query.deadline.wait(node.children());
	if (children === noAnswer) return {kind: 'unresolved', why: 'timeout'};
	const results = presentChildren(children).map(
		async ([name, child]) => [name, await evaluate(child, depth - 1, query)] as const,
	);
	return {kind: 'object', children: await Promise.all(results), ...(node.sensitive && {sensitive: true})};
}

/** JSON has no 64-bit numbers. */
function plain(value: Value, format: 'hex' | undefined): {value: string | number | boolean; format?: 'hex'} {
	if (typeof value === 'bigint') return {value: `0x${value.toString(16)}`, format: 'hex'};
	return format === undefined ? {value} : {value, format};
}
