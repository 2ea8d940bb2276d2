import type {Unit} from './node.ts';

/** The reason for which a part of the tree is not shown. */
export type Unresolved =
	/** It lies deeper than was asked for. */
	| 'depth'
	/** Its owner did not answer in time: a hanging thread, a slow device. */
	| 'timeout'
	/** It is sensitive, and only what is not was asked for. */
	| 'sensitive';

/** A part of the tree as it was found: plain data that survives JSON. */
export type InspectResult =
	| {
			readonly kind: 'value';
			/** A 64-bit number is hexadecimal text with `format`. */
			readonly value: string | number | boolean;
			readonly format?: 'hex';
			readonly unit?: Unit;
			readonly sensitive?: true;
			readonly writable?: true;
	  }
	| {
			readonly kind: 'object';
			readonly children: readonly (readonly [string, InspectResult])[];
			/** All below it is. */
			readonly sensitive?: true;
	  }
	| {readonly kind: 'unresolved'; readonly why: Unresolved}
	/** Its owner answered with an error. */
	| {readonly kind: 'error'; readonly message: string};
