import type {BackServices, DeviceBack} from '#devices/device';
import type {Timer} from '#support/reactor';
import type {StructView} from '#support/shared-memory';
import {clockAt, never, timeOfClock} from './clock.ts';
import {EventTimers} from './event-timers.ts';
import type {HpetConfig} from './handle.ts';
import type {HpetFields} from './state.ts';

/** A wake-up is never asked for sooner: one that came too early must not become a loop. */
const shortestWaitNs = 10_000;
/** Nor later, because a comparator may be decades away. */
const longestWaitNs = 3600e9;

/** Wakes up for the matches and raises their interrupts. */
export function hpetBack(_config: HpetConfig, state: StructView<HpetFields>, services: BackServices): DeviceBack {
	const events = new EventTimers(state, services);
	let running = false;
	let pending: Timer | undefined;

	const disarm = () => {
		pending?.cancel();
		pending = undefined;
	};

	const serveLocked = () => {
		events.serve(clockAt(services.time.nowNs()));
		return events.due();
	};

	const serve = () => {
		disarm();
		if (!running) return;
		const next = services.locked(serveLocked);
		if (next === never) return;
		const waitNs = timeOfClock(next) - services.time.nowNs();
		pending = services.reactor.after(Math.min(Math.max(shortestWaitNs, waitNs), longestWaitNs), serve);
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
