import type {DeviceCommand, DeviceFront, DeviceServices} from '#devices/device';
import type {FieldsView} from '#support/wire';
import type {ChangeGeneration, GenerationIdConfig} from './handle.ts';
import {type GenerationIdFields, idLength} from './state.ts';

/** The id in guest memory, on one thread. It has no registers: a guest finds it through ACPI. */
export function generationIdFront(
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
