import {bytes, sharedStruct, u32} from '#support/shared-memory';

/** Bytes of an id. */
export const idLength = 16;

/** The shared state of the generation id. */
export const GenerationIdState = sharedStruct('generation-id', {
	/** The id that guest memory shows. */
	id: bytes(idLength),
	/** How often the machine's owner changed it. */
	changes: u32(),
});

/** Fields of {@link GenerationIdState}. */
export type GenerationIdFields = (typeof GenerationIdState)['fields'];
