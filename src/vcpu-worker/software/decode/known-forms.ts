import {PrefixTable} from '#vcpu-worker/software/shared';
import {BlockDecoder} from './block.ts';
import {announcedBy, announcedKey} from './features.ts';
import {formRoots} from './form.ts';
import type {CodeSize} from './instruction.ts';

/** Bytes behind those that a form is known by: any displacement and constant. */
const behind = new Uint8Array(14);
const sharedShift = 4;
const restMask = 15;
const codeSizes = new Map(
	Object.entries(formRoots).map(([codeSize, root]) => [root as number, Number(codeSize) as CodeSize]),
);
const digits = announcedKey(() => true).length;

/**
 * Lists the forms that a table has, as bytes: what is announced, a digit for each feature and a 0 behind, and the bytes of each form behind the root that they begin
 * at, in their order. Of each list of bytes one says how many are those of the one before, and how many follow.
 */
export function listForms(table: PrefixTable): Uint8Array<ArrayBuffer> {
	const list: number[] = [...Buffer.from(table.key(digits)), 0];
	let last: readonly number[] = [];
	for (const path of table.paths()) {
		const unlike = path.findIndex((byte, at) => byte !== last[at]);
		const rest = path.slice(unlike);
		// Bytes of a form are few: what is longer is left out.
		if (unlike > restMask || rest.length > restMask) continue;
		list.push((unlike << sharedShift) | rest.length, ...rest);
		last = path;
	}
	return Uint8Array.from(list);
}

/** What is announced to processors for which a list is: see `announcedKey`. */
export const keyOf = (list: Uint8Array): string => Buffer.from(list.subarray(0, list.indexOf(0))).toString('latin1');

/** Makes a table of forms that are listed, from their bytes alone. */
export function makeForms(list: Uint8Array): PrefixTable {
	const table = new PrefixTable(PrefixTable.allocate());
	const decoder = new BlockDecoder(announcedBy(keyOf(list)), [table]);
	let path: number[] = [];
	for (let at = list.indexOf(0) + 1; at < list.length; ) {
		const head = list[at] as number;
		const rest = list.subarray(at + 1, at + 1 + (head & restMask));
		path = [...path.slice(0, head >> sharedShift), ...rest];
		const codeSize = codeSizes.get(path[0] as number) ?? 64;
		decoder.decode(Uint8Array.from([...path.slice(1), ...behind]), 0, {codeSize, limit: 1});
		at += 1 + rest.length;
	}
	return table;
}
