import {standardSerialPorts} from '#devices/chipset/serial-16550';
import {packedRecord} from '#main/acpi/packed-record';
import {bootLayout} from '#main/loader';

/** The BIOS data area as far as a machine has what it tells of (IBM PC/AT Technical Reference; Ralf Brown, MEMORY.LST). */
const dataArea = packedRecord([
	['serialPorts', 0x00, 8],
	['parallelPorts', 0x08, 6],
	['ebdaSegment', 0x0e, 2],
	['equipment', 0x10, 2],
	['testStatus', 0x12, 1],
	/** KiB below the extended BIOS data area. */
	['baseMemory', 0x13, 2],
	['rest', 0x15, 0x100 - 0x15],
]);

const equipmentBits = {mathCoprocessor: 1 << 1, pointingDevice: 1 << 2} as const;
const serialPortCountShift = 9;
const kibibyte = 1024;

/** What both the data area and the interrupts 11h and 12h tell. */
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
		serialPorts: new Uint8Array(Uint16Array.from(bases).buffer),
		ebdaSegment: bootLayout.ebda / 16,
	});
}
