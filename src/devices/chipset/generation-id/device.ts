import type {DeviceCommand, DeviceFront, DeviceModel, DeviceServices} from '#devices/device';
import {gpeInput} from '#devices/interrupts';
import {bytes, type FieldsView, u32, wire} from '#support/wire';

/** Names this device in machine descriptions. */
export const generationIdKind = 'generation-id';

/** The general-purpose event that tells the guest of a change: as in Hyper-V's firmware, which OpenVMM follows. */
export const generationIdEvent = 0;

/** The id by which a guest notices that it was restored or cloned. */
export interface GenerationIdConfig {
	/** Address of the id: guest-physical, a multiple of 8, in reserved RAM. */
	readonly address: number;
	/** The machine's first id: 16 bytes in hexadecimal. It survives a reset, as the specification wants it. */
	readonly id: string;
}

/** Gives the guest a new id: 16 bytes in hexadecimal. To be sent when the machine's past is no longer the guest's. */
export interface ChangeGeneration extends DeviceCommand {
	readonly kind: 'change-generation';
	readonly id: string;
}

/** Bytes of an id. */
export const idLength = 16;

/** The shared state of the generation id. */
export const GenerationIdState = wire('generation-id', {
	/** The id that guest memory shows. */
	id: bytes(idLength),
	/** Number of times the machine's owner changed it. */
	changes: u32,
});

/** Fields of {@link GenerationIdState}. */
export type GenerationIdFields = (typeof GenerationIdState)['fields'];

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

/** The id in guest memory, on one thread. It has no registers: a guest finds it through ACPI. */
function generationIdFront(
	config: GenerationIdConfig,
	state: FieldsView<GenerationIdFields>,
	services: DeviceServices,
): DeviceFront {
	const line = services.line('changed');

	const publish = (id: string) => {
		state.id.set(Buffer.from(id, 'hex').subarray(0, idLength));
		services.memory.copyIn(config.address, state.id);
	};

	return {
		read: () => 0,
		write() {},
		reset: () => publish(config.id),
		control(command: DeviceCommand) {
			if (command.kind !== 'change-generation') return;
			state.changes++;
			publish((command as ChangeGeneration).id);
			// An edge: the event's status holds it until the guest has seen it.
			line.setLevel(true);
			line.setLevel(false);
		},
	};
}
