import {stateError} from '#support/saved-state';
import type {Fields, InputFields, PlainFields, Wire} from '#support/wire';

/** A kernel struct as a snapshot has it: its bytes, as base64. The kernel's ABI is its schema. */
export function saveBytes<F extends Fields>(layout: Wire<F>, value: InputFields<F>): string {
	return toBase64(layout.encode(value));
}

/**
 * The struct that {@link saveBytes} gave. What its fields may hold is for the kernel to check.
 * @throws VmmError STATE_FIELD_WRONG when it has not the struct's size
 */
export function restoreBytes<F extends Fields>(layout: Wire<F>, saved: unknown): PlainFields<F> {
	return layout.read(fromBase64(saved, layout.name, layout.size, layout.size));
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
