import type {BackServices, DeviceBack} from '#devices/device';
import type {Timer} from '#support/reactor';
import type {StructView} from '#support/shared-memory';
import {RtcClock} from './clock.ts';
import type {CmosRtcConfig} from './handle.ts';
import {RtcInterrupts} from './interrupts.ts';
import type {CmosRtcFields} from './state.ts';

/** Added to every delay: wall-clock milliseconds round, and a look that comes too early has to be repeated. */
const slackNs = 1000;

/**
 * Raises the interrupt line when time alone makes it rise. Its one timer is armed only while an enabled interrupt is to
 * come: not while the line is up, so a guest that does not read register C costs nothing.
 */
export function cmosRtcBack(
	config: CmosRtcConfig,
	state: StructView<CmosRtcFields>,
	services: BackServices,
): DeviceBack {
	const clock = new RtcClock(config, state, services.time);
	const interrupts = new RtcInterrupts(state, clock, services.line('interrupt'));
	let started = false;
	let timer: Timer | undefined;

	const disarm = () => {
		timer?.cancel();
		timer = undefined;
	};

	const look = () => {
		const wallMs = clock.wallMs();
		interrupts.advance(wallMs);
		interrupts.drive();
		return interrupts.msToInterrupt(wallMs);
	};

	const arm = () => {
		disarm();
		if (!started) return;
		const ms = services.locked(look);
		if (ms !== Number.POSITIVE_INFINITY) timer = services.reactor.after(Math.ceil(ms * 1e6) + slackNs, arm);
	};

	const halt = () => {
		started = false;
		disarm();
	};

	return {
		start: () => {
			started = true;
			arm();
		},
		// VM time stands still now, and a delay counted in host time would run on.
		stop: async () => halt(),
		notified: arm,
		dispose: halt,
	};
}
