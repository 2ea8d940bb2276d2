import type {AcpiDescription} from '#devices/acpi';
import {
	type Aml,
	device,
	dwordFields,
	eisaId,
	elementOf,
	integer,
	levelEvent,
	memoryRegion,
	method,
	name,
	namePath,
	notify,
	packageOf,
	returns,
	store,
	string,
} from '#devices/acpi/aml';
import {concatBytes} from '#support/wire';
import {type BatteryConfig, batteryEvent} from './device.ts';
import {designCapacityMwh, Notify, Offset, regionLength} from './registers.ts';

/** The device's registers by name, in their order. */
const fields = {
	BSTA: Offset.STATUS,
	BSTT: Offset.STATE,
	BRAT: Offset.RATE,
	BREM: Offset.REMAINING,
	BPSR: Offset.AC_ONLINE,
	BNST: Offset.NOTIFY_STATUS,
	BNCL: Offset.NOTIFY_CLEAR,
} as const;

/** Static information (ACPI 6.5, 10.2, Battery Information): what OpenVMM's firmware says of the same battery. */
const information: readonly Aml[] = [
	/** Milliwatts and milliwatt hours. */ 0,
	/** Design capacity, and that of the last full charge. */ designCapacityMwh,
	designCapacityMwh,
	/** Rechargeable. */ 1,
	/** Design voltage in millivolts. */ 5000,
	/** Warning and low capacity. */ 250,
	100,
	/** Granularity. */ 1,
	1,
].map(integer);

/** Voltage that the battery seems to have, in millivolts. */
const voltageMv = 5000;

/** Battery information changed, and adapter status changed (ACPI 6.5, 5.6.6, notifications of control method batteries and power sources). */
const [statusChanged, informationChanged, adapterChanged] = [0x80, 0x81, 0x80];

/** The battery and the adapter (ACPI 6.5, 10.2 and 10.3), whose methods read the device's registers. */
export function batteryAcpi({base}: BatteryConfig): AcpiDescription {
	const texts = ['Virtual', '1', 'LION', 'OpenVMM'].map(string);
	const state = ['BSTT', 'BRAT', 'BREM'];
	return {
		device: concatBytes(
			memoryRegion('BREG', base, regionLength),
			dwordFields('BREG', Object.keys(fields)),
			device(
				'BAT1',
				name('_HID', eisaId('PNP0C0A')),
				name('_UID', integer(1)),
				name('_PCL', packageOf(namePath('\\_SB'))),
				method('_STA', 0, returns(namePath('BSTA'))),
				method('_BIF', 0, returns(packageOf(...information, ...texts))),
				name('PBST', packageOf(...state.map(() => integer(0)), integer(voltageMv))),
				method(
					'_BST',
					0,
					...state.map((field, at) => store(namePath(field), elementOf('PBST', at))),
					returns(namePath('PBST')),
				),
			),
			device(
				'AC1',
				name('_HID', string('ACPI0003')),
				name('_PCL', packageOf(namePath('\\_SB'))),
				method('_PSR', 0, returns(namePath('BPSR'))),
			),
		),
		// The cause goes first: what changes meanwhile is an event of its own.
		event: levelEvent(
			batteryEvent,
			store(integer(Notify.INFORMATION_CHANGED | Notify.STATE_CHANGED), '\\_SB.BNCL'),
			notify('\\_SB.BAT1', statusChanged),
			notify('\\_SB.BAT1', informationChanged),
			notify('\\_SB.AC1', adapterChanged),
		),
	};
}
