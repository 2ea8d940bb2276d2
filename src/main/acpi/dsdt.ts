import type {AcpiDescription} from '#devices/acpi';
import {
	type Aml,
	device,
	eisaId,
	integer,
	memory32Fixed,
	method,
	name,
	resourceTemplate,
	returns,
	scope,
	string,
} from '#devices/acpi/aml';
import {ioApicAddress} from '#devices/chipset/ioapic-82093aa';
import type {ProcessorTopology} from '#main/topology';
import {descriptionTable} from './description-table.ts';
import {localApicAddress} from './madt.ts';

const present = 0xf;

/** DSDT: the interrupt controllers, what the devices say of themselves, and one device per processor. */
export function buildDsdt(topology: ProcessorTopology, devices: readonly AcpiDescription[]): Uint8Array {
	const events = devices.flatMap(({event = []}) => event);
	return descriptionTable(
		'DSDT',
		2,
		...devices.flatMap(({root = []}) => root),
		scope(
			'\\_SB',
			apics(),
			...devices.flatMap(({device: object = []}) => object),
			...topology.vps.map((vp) => processor(vp.index + 1)),
		),
		...(events.length > 0 ? [scope('\\_GPE', ...events)] : []),
	);
}

function apics(): Aml {
	const registers = [localApicAddress, ioApicAddress].map((address) => memory32Fixed(address, 0x1000));
	return device('APIC', name('_HID', eisaId('PNP0003')), name('_CRS', resourceTemplate(...registers)));
}

/** `P001` to `P999`, then `Q000`: the UID is the MADT's. */
function processor(uid: number): Aml {
	const letter = String.fromCharCode('P'.charCodeAt(0) + Math.floor(uid / 1000));
	return device(
		letter + String(uid % 1000).padStart(3, '0'),
		name('_HID', string('ACPI0007')),
		name('_UID', integer(uid)),
		method('_STA', 0, returns(integer(present))),
	);
}
