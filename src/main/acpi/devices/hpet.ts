import {capabilities, type HpetConfig, regionLength} from '#devices/chipset/hpet';
import {device, eisaId, integer, memory32Fixed, name, resourceTemplate} from '#main/acpi/aml';
import {packedRecord} from '#main/acpi/packed-record';
import {descriptionTable} from '../description-table.ts';
import type {AcpiDevice} from './acpi-device.ts';

/** The table's body (IA-PC HPET Specification 1.0a, "HPET Description Table"). */
const body = packedRecord([
	['eventTimerBlockId', 0, 4],
	['addressSpace', 4, 1],
	['bitWidth', 5, 1],
	['bitOffset', 6, 1],
	['reserved', 7, 1],
	['address', 8, 8],
	['hpetNumber', 16, 1],
	['minimumTick', 17, 2],
	['pageProtection', 19, 1],
]);
const bitWidth = 64;
/** Clocks between two interrupts below which ticks are lost, in periodic mode: a millisecond of 100 ns. */
const minimumTick = 10_000;

/** The timer's table, from which guests take it early, and its device, which keeps others off its addresses. */
export function hpetDevice({base}: HpetConfig): AcpiDevice {
	const data = body.encode({eventTimerBlockId: capabilities, bitWidth, address: base, minimumTick});
	return {
		device: device(
			'HPET',
			name('_HID', eisaId('PNP0103')),
			name('_UID', integer(0)),
			name('_CRS', resourceTemplate(memory32Fixed(base, regionLength))),
		),
		table: {name: 'HPET', data: descriptionTable('HPET', 1, data)},
	};
}
