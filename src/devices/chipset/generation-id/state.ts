import {bytes, u32, wire} from '#support/wire';

/** Bytes of an id. */
export const idLength = 16;

/** The shared state of the generation id. */
export const GenerationIdState = wire('generation-id', {
	/** The id that guest memory shows. */
	id: bytes(idLength),
	/** How often the machine's owner changed it. */
	changes: u32,
});

/** Fields of {@link GenerationIdState}. */
export type GenerationIdFields = (typeof GenerationIdState)['fields'];
