import {
	argument,
	buffer,
	busNumbers,
	createDwordField,
	device,
	eisaId,
	equal,
	integer,
	method,
	name,
	orInto,
	otherwise,
	packageOf,
	portWindow,
	qwordMemory,
	resourceTemplate,
	returns,
	scope,
	store,
	uuid,
	when,
} from '#devices/acpi/aml';
import type {MemoryRange} from '#devices/guest-memory';
import {concatBytes, reserved, u8, u16, u64, wire} from '#support/wire';
import {descriptionTable} from './description-table.ts';
import {acpiError} from './errors.ts';

/** A PCIe root complex. */
export interface PcieHostBridge {
	readonly segment: number;
	readonly startBus: number;
	/** The last bus, included. */
	readonly endBus: number;
	/** Configuration space of `startBus` and the buses after it, 1 MiB each. */
	readonly ecam: MemoryRange;
	/** Windows for the BARs of devices. */
	readonly mmio: readonly MemoryRange[];
	/** Windows for BARs of ports. */
	readonly ports?: {readonly base: number; readonly length: number};
	/** Interrupt inputs of the pins (0 is INTA) of devices on the root bus. */
	readonly interrupts?: readonly {readonly device: number; readonly pin: number; readonly input: number}[];
	/** Tell the guest to leave BARs where they are. */
	readonly preserveBars?: boolean;
	/** Its NUMA node. */
	readonly node?: number;
}

const bytesPerBus = 0x10_0000;
const maxHostBridges = 100;

/** The _OSC interface of PCI host bridges (PCI Firmware Specification 3.3, 4.5.1). */
const pciHostBridgeOsc = '33DB4D5B-1FF7-401C-9657-7441C03DD766';
/** The _DSM interface of PCI. */
const pciDsm = 'E5C937D0-3553-4D7A-9117-EA4D19C3434D';
const preserveFunction = 5;
/** _OSC status: unrecognized UUID (ACPI 6.5, table 6.13). */
const unrecognizedUuid = 0x04;

const mcfgReserved = new Uint8Array(8);
/** Configuration space allocation. */
const mcfgAllocation = wire('MCFG allocation', {
	base: u64.at(0),
	segment: u16.at(8),
	startBus: u8.at(10),
	endBus: u8.at(11),
	reserved: reserved(4).at(12),
}).sized(16, 'PCI Firmware Specification 3.3, table 4-3');

/**
 * MCFG: where configuration space lies. The table counts from bus 0 even when the bridge does not have it.
 * @throws VmmError `ACPI_ECAM_TOO_LOW`
 */
export function buildMcfg(bridges: readonly PcieHostBridge[]): Uint8Array {
	const allocations = bridges.map(({ecam, segment, startBus, endBus}) => {
		const base = ecam.gpa - startBus * bytesPerBus;
		if (base < 0) throw acpiError('ACPI_ECAM_TOO_LOW', {ecam: ecam.gpa, startBus});
		return mcfgAllocation.encode({base, segment, startBus, endBus});
	});
	return descriptionTable('MCFG', 1, mcfgReserved, ...allocations);
}

/**
 * SSDT: one PCIe host bridge per root complex, and a motherboard device that holds their configuration space, without
 * which some guests do not trust MCFG.
 * @throws VmmError `ACPI_TOO_MANY_HOST_BRIDGES`
 */
export function buildPcieSsdt(bridges: readonly PcieHostBridge[]): Uint8Array {
	if (bridges.length > maxHostBridges) {
		throw acpiError('ACPI_TOO_MANY_HOST_BRIDGES', {count: bridges.length, limit: maxHostBridges});
	}
	const configurationSpace = bridges.map(({ecam}) => qwordMemory(ecam.gpa, ecam.length));
	const motherboard = device(
		'ECAM',
		name('_HID', eisaId('PNP0C02')),
		name('_CRS', resourceTemplate(...configurationSpace)),
	);
	return descriptionTable('SSDT', 2, scope('\\_SB', ...bridges.map(hostBridge), motherboard));
}

function hostBridge(bridge: PcieHostBridge, index: number): Uint8Array {
	const {segment, startBus, endBus, mmio, ports, interrupts = [], preserveBars, node} = bridge;
	const windows = mmio.filter(({length}) => length > 0).map(({gpa, length}) => qwordMemory(gpa, length));
	return device(
		index < 10 ? `PCI${index}` : `PC${index}`,
		name('_HID', eisaId('PNP0A08')),
		name('_CID', eisaId('PNP0A03')),
		name('_UID', integer(index)),
		name('_SEG', integer(segment)),
		name('_BBN', integer(startBus)),
		name('_CCA', integer(1)),
		...(node !== undefined ? [name('_PXM', integer(node))] : []),
		grantAllControl(),
		...(preserveBars === true ? [preserveBoot()] : []),
		...(interrupts.length > 0 ? [name('_PRT', packageOf(...interrupts.map(route)))] : []),
		name(
			'_CRS',
			resourceTemplate(
				busNumbers(startBus, endBus - startBus + 1),
				...(ports !== undefined && ports.length > 0 ? [portWindow(ports.base, ports.length)] : []),
				...windows,
			),
		),
	);
}

/** An element of _PRT (ACPI 6.5, 6.2.13): all functions of a device, a pin, and the input that it leads to. */
function route({device: number, pin, input}: {device: number; pin: number; input: number}): Uint8Array {
	return packageOf(integer(number * 0x1_0000 + 0xffff), integer(pin), integer(0), integer(input));
}

/** _DSM of PCI (PCI Firmware Specification 3.3, 4.6.5): function 5 answers 0, which forbids to move what firmware placed. */
function preserveBoot(): Uint8Array {
	const isFunction = (number: number) => equal(argument(2), integer(number));
	return method(
		'_DSM',
		4,
		when(
			equal(argument(0), uuid(pciDsm)),
			when(isFunction(0), returns(buffer(Uint8Array.of((1 << preserveFunction) | 1)))),
			when(isFunction(preserveFunction), returns(integer(0))),
		),
		returns(buffer(Uint8Array.of(0))),
	);
}

/** _OSC: the guest gets control of every feature it asks for; nothing else here would use it. */
function grantAllControl(): Uint8Array {
	return method(
		'_OSC',
		4,
		createDwordField(argument(3), 0, 'STS0'),
		concatBytes(
			when(equal(argument(0), uuid(pciHostBridgeOsc)), store(integer(0), 'STS0')),
			otherwise(orInto('STS0', integer(unrecognizedUuid))),
		),
		returns(argument(3)),
	);
}
