import type {ChangeGeneration} from '#devices/chipset/generation-id';
import {fillRandom} from '#support/ffi';

/** Name of the device that shows the generation id. */
export const generationIdName = 'generation-id';

/** 128 random bits in hexadecimal. */
export const randomGenerationId = (): string => {
	const bytes = Buffer.alloc(16);
	fillRandom(bytes);
	return bytes.toString('hex');
};

/**
 * Makes the message to {@link generationIdName} for when a machine goes on from a snapshot, after memory, devices and interrupt
 * controllers are restored and before the guest runs: it then finds the new id and an event that tells of it.
 */
export const newGeneration = (): ChangeGeneration => ({kind: 'change-generation', id: randomGenerationId()});
