import type {DeviceModel} from '#devices/device';
import {gpeInput} from '#devices/interrupts';
import {generationIdFront} from './front.ts';
import {type GenerationIdConfig, generationIdEvent, generationIdKind} from './handle.ts';
import {type GenerationIdFields, GenerationIdState} from './state.ts';

/**
 * A 128-bit id in guest memory that changes when the guest goes on from a snapshot, and an event that tells of it
 * (Microsoft, Virtual Machine Generation ID).
 */
export const generationId: DeviceModel<GenerationIdConfig, GenerationIdFields> = {
	kind: generationIdKind,
	state: GenerationIdState,
	attach: {regions: () => []},
	lines: () => ({changed: gpeInput(generationIdEvent)}),
	front: generationIdFront,
};
