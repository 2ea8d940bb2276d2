import {type GuestMemory, IoVectors} from '#devices/guest-memory';
import {addressOf, copyInPool, fillInPool} from '#support/ffi';
import type {BootImage} from './boot-image.ts';

/** Less is written at once: asking a thread for it would take longer. */
const smallBytes = 2 ** 16;
/** A thread of the pool has others' work to do too. */
const stepBytes = 2 ** 22;
/** A step that lies in more pieces of host memory is written at once. */
const maxPieces = 4;

/**
 * Copies an image into guest memory, at start and again at every reset; a piece's length beyond its data becomes zero.
 * Changes nothing outside the pieces. What is large is copied on the pool's threads, since a guest decides how often.
 * @returns false when a piece lies outside RAM: the image was made for another machine
 */
export async function writeBootImage(memory: GuestMemory, {pieces}: BootImage): Promise<boolean> {
	if (!pieces.every(({gpa, data, length = data.length}) => memory.contains(gpa, length))) return false;
	for (const {gpa, data, length = data.length} of pieces) {
		await inSteps(memory, gpa, data.length, {
			here: (at, offset, bytes) => memory.copyIn(at, data, offset, bytes),
			inPool: (target, offset, bytes) => copyInPool(target, addressOf(data) + BigInt(offset), bytes),
		});
		await inSteps(memory, gpa + data.length, length - data.length, {
			here: (at, _offset, bytes) => memory.fill(at, bytes, 0),
			inPool: (target, _offset, bytes) => fillInPool(target, 0, bytes),
		});
	}
	return true;
}

/** Two ways to write bytes from an offset on: at a guest's address by this thread, at the host's by another. */
interface Writer {
	here(gpa: number, offset: number, bytes: number): boolean;
	inPool(target: bigint, offset: number, bytes: number): Promise<void>;
}

async function inSteps(memory: GuestMemory, gpa: number, length: number, {here, inPool}: Writer): Promise<void> {
	const vectors = new IoVectors(maxPieces);
	for (let offset = 0; offset < length; offset += stepBytes) {
		const bytes = Math.min(stepBytes, length - offset);
		if (bytes <= smallBytes || !memory.pin(gpa + offset, bytes, 'write', vectors)) {
			here(gpa + offset, offset, bytes);
			continue;
		}
		try {
			for (let index = 0, done = 0; index < vectors.count; done += vectors.length(index++)) {
				await inPool(BigInt(vectors.hostAddress(index)), offset + done, vectors.length(index));
			}
		} finally {
			vectors.release();
		}
	}
}
