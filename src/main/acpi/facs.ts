import {packedRecord} from './packed-record/index.ts';

/** Firmware ACPI control structure, version 2 (ACPI 6.5, table 5.12). Unlike every other table it has no checksum. */
const facs = packedRecord([
	['signature', 0, 4],
	['length', 4, 4],
	['hardwareSignature', 8, 4],
	['firmwareWakingVector', 12, 4],
	['globalLock', 16, 4],
	['flags', 20, 4],
	['xFirmwareWakingVector', 24, 8],
	['version', 32, 1],
	['reserved1', 33, 3],
	['ospmFlags', 36, 4],
	['reserved2', 40, 24],
]);

/** FACS: the global lock, free, and the vectors of a wake-up that this machine does not have. The guest writes to both. */
export function buildFacs(): Uint8Array {
	return facs.encode({signature: 'FACS', length: facs.length, version: 2});
}
