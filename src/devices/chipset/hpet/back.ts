import {timerBack} from '#devices/chipset/timer-back';
import type {BackServices, DeviceBack} from '#devices/device';
import type {FieldsView} from '#support/wire';
import {never, timeOfClock} from './clock.ts';
import {EventTimers} from './event-timers.ts';
import type {HpetConfig} from './handle.ts';
import type {HpetFields} from './state.ts';

/** Wakes up for the matches and raises their interrupts. */
export function hpetBack(_config: HpetConfig, state: FieldsView<HpetFields>, services: BackServices): DeviceBack {
	const events = new EventTimers(state, services);
	return timerBack(services, () => {
		events.clock.look();
		events.serve();
		const next = events.due();
		return next === never ? Number.POSITIVE_INFINITY : timeOfClock(next) - services.time.nowNs();
	});
}
