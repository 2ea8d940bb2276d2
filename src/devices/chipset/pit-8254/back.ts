import type {BackServices, DeviceBack} from '#devices/device';
import type {Timer} from '#support/reactor';
import type {StructView} from '#support/shared-memory';
import {timeOfClock} from './clock.ts';
import type {Pit8254Config} from './handle.ts';
import type {Pit8254Fields} from './state.ts';
import {TimerInterrupt} from './timer-interrupt.ts';

/** A wake-up is never asked for sooner: one that came too early must not become a loop. */
const shortestWaitNs = 10_000;

/** Wakes up for counter 0's rising edges and raises the timer interrupt. */
export function pit8254Back(
	_config: Pit8254Config,
	state: StructView<Pit8254Fields>,
	services: BackServices,
): DeviceBack {
	const timer = new TimerInterrupt(state, services);
	let running = false;
	let pending: Timer | undefined;

	const disarm = () => {
		pending?.cancel();
		pending = undefined;
	};

	const serve = () => {
		disarm();
		if (!running) return;
		const next = services.locked(() => timer.serve());
		if (next === undefined) return;
		// From the clock's own time, not from this wake-up: lateness must not add up.
		const waitNs = timeOfClock(next) - services.time.nowNs();
		pending = services.reactor.after(Math.max(shortestWaitNs, waitNs), serve);
	};

	const halt = () => {
		running = false;
		disarm();
	};

	return {
		start() {
			running = true;
			serve();
		},
		async stop() {
			halt();
		},
		notified: serve,
		dispose: halt,
	};
}
