import {timerBack} from '#devices/chipset/timer-back';
import type {BackServices, DeviceBack} from '#devices/device';
import type {FieldsView} from '#support/wire';
import {PitClock, timeOfClock} from './clock.ts';
import type {Pit8254Config} from './handle.ts';
import type {Pit8254Fields} from './state.ts';
import {TimerInterrupt} from './timer-interrupt.ts';

/** Wakes up for counter 0's rising edges and raises the timer interrupt. */
export function pit8254Back(
	_config: Pit8254Config,
	state: FieldsView<Pit8254Fields>,
	services: BackServices,
): DeviceBack {
	const clock = new PitClock(services.time);
	const timer = new TimerInterrupt(state, clock, services);
	return timerBack(services, () => {
		clock.look();
		const next = timer.serve();
		// From the clock's own time, not from this wake-up: lateness must not add up.
		return next === undefined ? Number.POSITIVE_INFINITY : timeOfClock(next) - services.time.nowNs();
	});
}
