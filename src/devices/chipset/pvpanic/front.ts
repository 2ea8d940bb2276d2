import type {DeviceFront, DeviceServices, MachineEvent} from '#devices/device';
import type {FieldsView} from '#support/wire';
import type {PvpanicConfig} from './handle.ts';
import {PanicEvent, supportedEvents} from './registers.ts';
import type {PvpanicFields} from './state.ts';

/** Made once: an access makes no object. */
const crash: MachineEvent = {kind: 'crash'};
const powerOff: MachineEvent = {kind: 'power-off'};

/** The panic port on one thread. Bits that mean nothing are ignored. */
export function pvpanicFront(
	_config: PvpanicConfig,
	state: FieldsView<PvpanicFields>,
	services: DeviceServices,
): DeviceFront {
	return {
		read: () => supportedEvents,
		write(_region, _offset, _size, value) {
			state.lastValue = value & 0xff;
			if ((value & PanicEvent.PANICKED) !== 0) state.panics++;
			if ((value & PanicEvent.CRASH_LOADED) !== 0) state.crashLoads++;
			if ((value & PanicEvent.SHUTDOWN) !== 0) state.shutdowns++;
			if ((value & PanicEvent.PANICKED) !== 0) services.request(crash);
			else if ((value & PanicEvent.SHUTDOWN) !== 0) services.request(powerOff);
		},
	};
}
