import {hpetKind} from '#devices/chipset/hpet';
import {deviceType} from '#devices/device-type';
import type {MemoryRange} from '#devices/guest-memory';
import {hpetInputs} from '#devices/interrupts';
import {cmosRtcKind} from './handle.ts';
import {cmosRtc} from './model.ts';

const fourGib = 2 ** 32;
const sum = (ranges: readonly MemoryRange[]) => ranges.reduce((total, {length}) => total + length, 0);

/** The real-time clock as machines have it. */
export const cmosRtcType = deviceType({
	...cmosRtc,
	kind: cmosRtcKind,
	summary: 'The real-time clock and its RAM',
	configure: (_, {bornMs, ram, has}) => ({
		baseTimeMs: bornMs,
		lowMemory: sum(ram.filter(({gpa}) => gpa < fourGib)),
		highMemory: sum(ram.filter(({gpa}) => gpa >= fourGib)),
		...(has(hpetKind) && {irq: hpetInputs.rtc}),
	}),
});
