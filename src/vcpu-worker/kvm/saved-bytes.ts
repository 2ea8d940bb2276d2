import {stateError} from '#support/saved-state';
import type {Fields, Layout, StructValue} from './layout.ts';

/** A kernel struct as a snapshot has it: its bytes, as base64. The kernel's ABI is its schema. */
export function saveBytes<F extends Fields>(layout: Layout<F>, value: Partial<StructValue<F>>): string {
	const bytes = new Uint8Array(layout.size);
	layout.write(new DataView(bytes.buffer), 0, value);
	return toBase64(bytes);
}

/**
 * The struct that {@link saveBytes} gave. What its fields may hold is for the kernel to check.
 * @throws VmmError STATE_FIELD_WRONG when it has not the struct's size
 */
export function restoreBytes<F extends Fields>(layout: Layout<F>, saved: unknown): StructValue<F> {
	const bytes = fromBase64(saved, layout.name, layout.size, layout.size);
	return layout.read(new DataView(bytes.buffer));
}

/** Bytes as base64. */
export const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/**
 * The bytes of a base64 text, in a buffer of their own.
 * @throws VmmError STATE_FIELD_WRONG when there are fewer than `least` or more than `most`
 */
export function fromBase64(saved: unknown, struct: string, least: number, most: number): Uint8Array<ArrayBuffer> {
	const bytes = typeof saved === 'string' && saved.length <= most * 2 ? Buffer.from(saved, 'base64') : undefined;
	if (bytes === undefined || bytes.length < least || bytes.length > most)
		throw stateError('STATE_FIELD_WRONG', {struct, field: 'bytes'});
	return new Uint8Array(bytes);
}
