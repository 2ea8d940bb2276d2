import {VmmError} from '#support/errors';
import type {Fields, PlainFields, Wire} from '#support/wire';
import type {BootImage, MemoryPiece} from '../boot-image.ts';

/** The piece of that name. */
export function findPiece(image: BootImage, name: string): MemoryPiece {
	const piece = image.pieces.find((candidate) => candidate.name === name);
	if (piece === undefined) throw new Error(`no piece "${name}" in ${image.pieces.map((each) => each.name).join(', ')}`);
	return piece;
}

/** All fields of the struct at `base` in the piece of that name. */
export function pieceFields<T extends Fields>(
	image: BootImage,
	name: string,
	layout: Wire<T>,
	base = 0,
): PlainFields<T> {
	return layout.read(findPiece(image, name).data, base);
}

/** Returns the result of `action`, or the {@link VmmError} it threw; any other error goes on. */
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
