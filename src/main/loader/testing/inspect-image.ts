import {VmmError} from '#support/errors';
import type {BootImage, MemoryPiece} from '../boot-image.ts';
import {type Layout, readNumber} from '../fields.ts';

/** The piece of that name. */
export function findPiece(image: BootImage, name: string): MemoryPiece {
	const piece = image.pieces.find((candidate) => candidate.name === name);
	if (piece === undefined) throw new Error(`no piece "${name}" in ${image.pieces.map((each) => each.name).join(', ')}`);
	return piece;
}

/** All fields of the struct at `base` in the piece of that name. */
export function pieceFields<L extends Layout>(image: BootImage, name: string, layout: L, base = 0) {
	const {data} = findPiece(image, name);
	return Object.fromEntries(Object.entries(layout).map(([field, at]) => [field, readNumber(data, base, at)])) as Record<
		keyof L,
		number
	>;
}

/** What `action` returned, or the {@link VmmError} it threw; any other error goes on. */
export function outcome<R>(action: () => R): R | VmmError {
	try {
		return action();
	} catch (caught) {
		if (caught instanceof VmmError) return caught;
		throw caught;
	}
}

/** The code of the error `action` throws. */
export function codeOf(action: () => unknown): string {
	const result = outcome(action);
	return result instanceof VmmError ? result.code : 'no error';
}
