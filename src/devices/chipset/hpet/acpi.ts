import type {AcpiDescription} from '#devices/acpi';
import {device, eisaId, integer, memory32Fixed, name, resourceTemplate} from '#devices/acpi/aml';
import {reserved, u8, u16, u32, u64, wire} from '#support/wire';
import type {HpetConfig} from './device.ts';
import {capabilities, regionLength} from './registers.ts';

/** The table's body. */
const body = wire('HPET', {
	eventTimerBlockId: u32.at(0),
	addressSpace: u8.at(4),
	bitWidth: u8.at(5),
	bitOffset: u8.at(6),
	reserved: reserved(1).at(7),
	address: u64.at(8),
	hpetNumber: u8.at(16),
	minimumTick: u16.at(17),
	pageProtection: u8.at(19),
}).sized(20, 'IA-PC HPET Specification 1.0a, HPET Description Table');
const bitWidth = 64;
/** Clocks between two interrupts below which ticks are lost, in periodic mode: a millisecond of 100 ns. */
const minimumTick = 10_000;

/** The timer's table, from which guests take it early, and its device, which keeps others off its addresses. */
export function hpetAcpi({base}: HpetConfig): AcpiDescription {
	const table = body.encode({eventTimerBlockId: capabilities, bitWidth, address: base, minimumTick});
	return {
		device: device(
			'HPET',
			name('_HID', eisaId('PNP0103')),
			name('_UID', integer(0)),
			name('_CRS', resourceTemplate(memory32Fixed(base, regionLength))),
		),
		table: {signature: 'HPET', revision: 1, body: table},
	};
}
