import type {BackServices, DeviceBack} from '#devices/device';
import type {Timer} from '#support/reactor';

/** A wake-up is never asked for sooner: one that came too early must not become a loop. */
const shortestWaitNs = 10_000;
/** Nor later: what a guest asked for may be decades away. */
const longestWaitNs = 3600e9;

/**
 * The back of a device that nothing but time moves. Its one timer is armed only while something is to come, and never
 * while VM time stands still.
 * @param serve - does what is due, under the device's lock; returns how many nanoseconds of VM time later it is to be
 * called again, or infinity. Called again as well whenever the front notifies.
 */
export function timerBack(
	{reactor, locked}: Pick<BackServices, 'reactor' | 'locked'>,
	serve: () => number,
): DeviceBack {
	let running = false;
	let timer: Timer | undefined;

	const disarm = () => {
		timer?.cancel();
		timer = undefined;
	};

	const arm = () => {
		disarm();
		if (!running) return;
		const waitNs = locked(serve);
		if (waitNs === Number.POSITIVE_INFINITY) return;
		timer = reactor.after(Math.min(Math.max(shortestWaitNs, waitNs), longestWaitNs), arm);
	};

	const halt = () => {
		running = false;
		disarm();
	};

	return {
		start() {
			running = true;
			arm();
		},
		async stop() {
			halt();
		},
		notified: arm,
		dispose: halt,
	};
}
