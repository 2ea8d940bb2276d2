import {timerBack} from '#devices/chipset/timer-back';
import type {DeviceCommand, DeviceFront, DeviceModel, DeviceServices} from '#devices/device';
import type {FieldsView} from '#support/wire';
import {Port, portCount} from './registers.ts';
import {type GuestWatchdogFields, GuestWatchdogState} from './state.ts';
import {Watchdog} from './watchdog.ts';

/** Names this device in machine descriptions. */
export const guestWatchdogKind = 'guest-watchdog';

/** First port, where OpenVMM has it. */
export const guestWatchdogPort = 0x30;

/** The watchdog that a guest has to keep quiet. */
export interface GuestWatchdogConfig {
	/** First of its eight ports. */
	readonly port: number;
}

/** Tells the guest that its latest reset was the watchdog's; to be sent after that reset. */
export const watchdogReset = {kind: 'watchdog-reset'} as const satisfies DeviceCommand;

/** A watchdog that counts VM time: a guest that stopped telling it so is no longer alive. */
export const guestWatchdog: DeviceModel<GuestWatchdogConfig, GuestWatchdogFields> = {
	kind: guestWatchdogKind,
	state: GuestWatchdogState,
	attach: {regions: ({port}) => [{space: 'pio', name: 'registers', base: port, length: portCount}]},
	front: guestWatchdogFront,
	back: (_config, state, services) => {
		const watchdog = new Watchdog(state, services);
		return timerBack(services, () => watchdog.serve());
	},
};

/** The watchdog's two ports on one thread. Accesses that are not of 32 bits read all ones and write nothing. */
function guestWatchdogFront(
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
