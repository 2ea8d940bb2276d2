import type {SymbolTable} from '#main/symbols';
import {type CallTree, type FrameKey, rootNode} from './call-tree.ts';

const pageBytes = 4096n;

/** The name of a frame; code without a symbol goes by its page, since its addresses alone would be too many to see anything. */
export function frameName(key: FrameKey, symbols: SymbolTable): string {
	if (typeof key === 'string') return key;
	return symbols.find(key)?.name ?? `page 0x${(key - (key % pageBytes)).toString(16)}`;
}

/** A call tree by names: calls from several addresses in a function are one. */
export interface NamedTree {
	readonly names: readonly string[];
	/** For each node of the tree: the names, by their numbers, from the outside in. Equal stacks are the same array. */
	readonly stacks: readonly (readonly number[])[];
}

/** Names the nodes of a tree. */
export function nameTree(tree: CallTree, symbols: SymbolTable): NamedTree {
	const numbers = new Map<string, number>();
	const stacks: (readonly number[])[] = [[]];
	const known = new Map<readonly number[], Map<number, readonly number[]>>();
	for (let node = rootNode + 1; node < tree.size; node++) {
		const name = frameName(tree.keyOf(node), symbols);
		const number = numbers.get(name) ?? numbers.size;
		numbers.set(name, number);
		const parent = stacks[tree.parentOf(node)] as readonly number[];
		const siblings = known.get(parent) ?? new Map<number, readonly number[]>();
		known.set(parent, siblings);
		const stack = siblings.get(number) ?? [...parent, number];
		siblings.set(number, stack);
		stacks.push(stack);
	}
	return {names: [...numbers.keys()], stacks};
}
