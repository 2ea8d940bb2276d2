import {suggestion} from '#support/suggestion';
import {type Deadline, noAnswer} from './deadline.ts';
import {inspectError} from './errors.ts';
import type {Children, InspectNode} from './node.ts';

/** The names in a path; slashes at its ends and doubled ones mean nothing. */
export const pathNames = (path: string): string[] => path.split('/').filter((name) => name !== '');

/** The children of an object, those that are there. */
export const presentChildren = (children: Children): [string, InspectNode][] =>
	Object.entries(children).filter((entry): entry is [string, InspectNode] => entry[1] !== undefined);

/** A node, and whether it or an object that it is in is sensitive. */
export interface FoundNode {
	readonly node: InspectNode;
	readonly isSensitive: boolean;
}

/**
 * Follows a path from the root.
 * @throws VmmError INSPECT_PATH_NOT_FOUND, INSPECT_PATH_BELOW_VALUE, INSPECT_NO_ANSWER
 */
export async function findNode(root: InspectNode, path: string, deadline: Deadline): Promise<FoundNode> {
	let node = root;
	let isSensitive = isMarked(root);
	const walked: string[] = [];
	for (const name of pathNames(path)) {
		const parent = walked.join('/');
		if (typeof node !== 'object' || node.kind === 'leaf')
			throw inspectError('INSPECT_PATH_BELOW_VALUE', {path, value: parent});
		const children = await deadline.wait(node.children());
		if (children === noAnswer) throw inspectError('INSPECT_NO_ANSWER', {path: parent, timeoutMs: deadline.timeoutMs});
		const child = Object.hasOwn(children, name) ? children[name] : undefined;
		if (child === undefined) throw notFound(path, parent, name, children);
		walked.push(name);
		node = child;
		isSensitive ||= isMarked(child);
	}
	return {node, isSensitive};
}

const isMarked = (node: InspectNode): boolean => typeof node === 'object' && node.sensitive === true;

function notFound(path: string, parent: string, name: string, children: Children) {
	const near = suggestion(
		name,
		presentChildren(children).map(([other]) => other),
	);
	const found = near && (parent === '' ? near : `${parent}/${near}`);
	return inspectError('INSPECT_PATH_NOT_FOUND', {path, parent, name, suggestion: found});
}
