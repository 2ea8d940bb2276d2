import {deviceType} from '#devices/device-type';
import {type ChangeGeneration, generationIdKind} from './handle.ts';
import {generationId} from './model.ts';

/** The generation id as machines have it. */
export const generationIdType = deviceType({
	...generationId,
	kind: generationIdKind,
	summary: 'The id by which a guest notices that it was restored or cloned',
	options: {
		address: {
			type: 'number',
			min: 0,
			max: 2 ** 52 - 1,
			example: 0x1000,
			help: 'where the guest finds the id, a multiple of 8 in RAM that the memory map reserves',
		},
	},
	configure: ({address}, machine) => ({address, id: machine.generationId}),
	commands: [{kind: 'change-generation', id: 'fedcba9876543210fedcba9876543210'} satisfies ChangeGeneration],
});
