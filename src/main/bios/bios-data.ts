import {standardSerialPorts} from '#devices/chipset/serial-16550';
import {bootLayout} from '#main/loader';
import {array, bytes, reserved, u8, u16, wire} from '#support/wire';

/** The BIOS data area as far as a machine has what it tells of. */
const dataArea = wire('BIOS data area', {
	serialPorts: array(u16, 4).at(0x00),
	parallelPorts: bytes(6).at(0x08),
	ebdaSegment: u16.at(0x0e),
	equipment: u16.at(0x10),
	testStatus: u8.at(0x12),
	/** KiB below the extended BIOS data area. */
	baseMemory: u16.at(0x13),
	rest: reserved(235).at(0x15),
}).sized(0x100, 'IBM PC/AT Technical Reference; Ralf Brown, MEMORY.LST');

const equipmentBits = {mathCoprocessor: 1 << 1, pointingDevice: 1 << 2} as const;
const serialPortCountShift = 9;
const kibibyte = 1024;

/** Facts that the data area and the interrupts 11h and 12h both tell. */
export interface BiosFacts {
	/** The equipment word. */
	readonly equipment: number;
	/** Conventional memory, KiB. */
	readonly baseMemory: number;
}

/** @param hasSerial - the four ports exist */
export function biosFacts(hasSerial: boolean): BiosFacts {
	const serialPorts = hasSerial ? standardSerialPorts.length << serialPortCountShift : 0;
	const equipment = equipmentBits.mathCoprocessor | equipmentBits.pointingDevice | serialPorts;
	return {equipment, baseMemory: bootLayout.ebda / kibibyte};
}

/** The 256 bytes at 0x400. */
export function buildBiosData(facts: BiosFacts, hasSerial: boolean): Uint8Array {
	const bases = hasSerial ? standardSerialPorts.map(({base}) => base) : [];
	return dataArea.encode({
		...facts,
		serialPorts: bases,
		ebdaSegment: bootLayout.ebda / 16,
	});
}
