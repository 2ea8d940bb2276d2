import {gsiCount} from '#devices/interrupts';
import type {OptionTable} from '#support/options';
import {type MmioPlace, regionBytes} from './virtio-mmio.ts';

/** Options of any device on MMIO: its place. */
export const mmioOptions = {
	base: {
		type: 'number',
		min: regionBytes,
		max: 2 ** 52 - regionBytes,
		example: 0xd000_0000,
		help: 'where its registers are, a multiple of 0x1000',
	},
	irq: {
		type: 'number',
		min: 0,
		max: gsiCount - 1,
		optional: true,
		example: 5,
		help: 'its interrupt: 5-7, 9-11 or 13-23, which others may have too; without it the machine assigns one',
	},
} as const satisfies OptionTable;

/** Interrupt controller, keyboard, timer, serial ports, clock and mouse of a PC: edges, which no other device can share. */
const edgeInputs: readonly number[] = [0, 1, 2, 3, 4, 8, 12];

/** Addresses that flags give to devices that sit in no port: from F8000000 on, below all that a PC has there. */
const [firstBase, placesPerType] = [0xf800_0000, 16];

/**
 * The place of a device that a flag asks for. It follows from the device alone, so that the same flags give the same machine.
 * @param id - the device's virtio type
 * @param index - which of its type it is, from 0 on
 * @returns undefined where there is no room for so many
 */
export const flaggedPlace = (id: number, index: number): MmioPlace | undefined =>
	index < placesPerType ? {base: firstBase + (id * placesPerType + index) * regionBytes} : undefined;

/** The place that {@link mmioOptions} give. */
export function mmioPlace({base, irq}: MmioPlace): {readonly mmio: MmioPlace} {
	if (base % regionBytes !== 0) throw new TypeError(`base=ADDRESS has to be a multiple of ${regionBytes}`);
	if (irq !== undefined && edgeInputs.includes(irq))
		throw new TypeError(`irq=${irq} is another device's of every PC: give 5-7, 9-11 or 13-23`);
	return {mmio: {base, ...(irq !== undefined && {irq})}};
}
