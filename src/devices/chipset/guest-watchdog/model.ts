import {timerBack} from '#devices/chipset/timer-back';
import type {DeviceModel} from '#devices/device';
import {guestWatchdogFront} from './front.ts';
import {type GuestWatchdogConfig, guestWatchdogKind} from './handle.ts';
import {portCount} from './registers.ts';
import {type GuestWatchdogFields, GuestWatchdogState} from './state.ts';
import {Watchdog} from './watchdog.ts';

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
