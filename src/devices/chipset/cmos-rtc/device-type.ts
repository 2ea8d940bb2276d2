import {device, eisaId, integer, interrupt, ioPorts, name, resourceTemplate} from '#devices/acpi/aml';
import {hpetKind} from '#devices/chipset/hpet';
import {deviceType} from '#devices/device-type';
import type {MemoryRange} from '#devices/guest-memory';
import {hpetInputs} from '#devices/interrupts';
import {cmosRtc, cmosRtcIrq, cmosRtcKind} from './device.ts';
import {Cmos, ports} from './registers.ts';

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
	acpi: () => ({
		fadt: {century: Cmos.CENTURY, flags: {rtcS4: true}},
		device: device(
			'RTC0',
			name('_HID', eisaId('PNP0B00')),
			name('_UID', integer(0)),
			name('_CRS', resourceTemplate(ioPorts(ports.base, ports.length, 0), interrupt(cmosRtcIrq, {edge: true}))),
		),
	}),
});
