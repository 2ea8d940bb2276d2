import {hpetKind} from '#devices/chipset/hpet';
import {deviceType} from '#devices/device-type';
import {hpetInputs} from '#devices/interrupts';
import {pit8254, pit8254Kind} from './device.ts';

/** The input of a PC for the interval timer. */
const ownInput = 0;

/** The interval timer as machines have it. */
export const pit8254Type = deviceType({
	...pit8254,
	kind: pit8254Kind,
	summary: 'The interval timer and the speaker port',
	configure: (_, machine) => ({irq: machine.has(hpetKind) ? hpetInputs.pit : ownInput}),
});
