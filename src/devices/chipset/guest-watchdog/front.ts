import type {DeviceFront, DeviceServices} from '#devices/device';
import type {FieldsView} from '#support/wire';
import {type GuestWatchdogConfig, watchdogReset} from './handle.ts';
import {Port} from './registers.ts';
import type {GuestWatchdogFields} from './state.ts';
import {Watchdog} from './watchdog.ts';

/** The watchdog's two ports on one thread. Accesses that are not of 32 bits read all ones and write nothing. */
export function guestWatchdogFront(
	_config: GuestWatchdogConfig,
	state: FieldsView<GuestWatchdogFields>,
	services: DeviceServices,
): DeviceFront {
	const watchdog = new Watchdog(state, services);
	return {
		read(_region, offset, size) {
			if (size === 4 && offset === Port.ADDRESS) return state.address;
			return size === 4 && offset === Port.DATA ? watchdog.read() : 2 ** (8 * size) - 1;
		},
		write(_region, offset, size, value) {
			if (size !== 4) return;
			if (offset === Port.ADDRESS) state.address = value;
			else if (offset === Port.DATA && watchdog.write(value)) services.notifyBack();
		},
		control({kind}) {
			if (kind === watchdogReset.kind) watchdog.setBootStatus();
		},
	};
}
