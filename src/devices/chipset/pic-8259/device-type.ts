import {deviceType} from '#devices/device-type';
import {extIntInput} from '#devices/interrupts';
import {pic8259, pic8259Kind} from './device.ts';

/** The interrupt controllers as machines have them. */
export const pic8259Type = deviceType({
	...pic8259,
	kind: pic8259Kind,
	summary: "The PC's two interrupt controllers",
	configure: () => ({intrInput: extIntInput}),
});
