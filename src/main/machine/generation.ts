import {randomBytes} from 'node:crypto';
import type {ChangeGeneration} from '#devices/chipset/generation-id';

/** What the device that shows the generation id is called. */
export const generationIdName = 'generation-id';

/** 128 random bits in hexadecimal. */
export const randomGenerationId = (): string => randomBytes(16).toString('hex');

/**
 * What is to be sent to {@link generationIdName} when a machine goes on from a snapshot, after memory, devices and
 * interrupt controllers are restored and before the guest runs: it then finds the new id and an event that tells of it.
 */
export const newGeneration = (): ChangeGeneration => ({kind: 'change-generation', id: randomGenerationId()});
