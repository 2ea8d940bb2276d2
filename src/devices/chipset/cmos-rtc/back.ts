import {timerBack} from '#devices/chipset/timer-back';
import type {BackServices, DeviceBack} from '#devices/device';
import type {FieldsView} from '#support/wire';
import {RtcClock} from './clock.ts';
import type {CmosRtcConfig} from './handle.ts';
import {RtcInterrupts} from './interrupts.ts';
import type {CmosRtcFields} from './state.ts';

/** Added to every delay: wall-clock milliseconds round, and a look that comes too early has to be repeated. */
const slackNs = 1000;

/** Raises the interrupt line when time alone makes it rise; a guest that does not read register C costs nothing more. */
export function cmosRtcBack(
	config: CmosRtcConfig,
	state: FieldsView<CmosRtcFields>,
	services: BackServices,
): DeviceBack {
	const clock = new RtcClock(config, state, services.time);
	const interrupts = new RtcInterrupts(state, clock, services.line('interrupt'));
	return timerBack(services, () => {
		clock.look();
		interrupts.advance();
		interrupts.drive();
		return Math.ceil(interrupts.msToInterrupt() * 1e6) + slackNs;
	});
}
