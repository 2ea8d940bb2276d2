import {reserved, text, u8, u32, u64, wire} from '#support/wire';

/** Firmware ACPI control structure, version 2. Unlike every other table it has no checksum. */
const facs = wire('FACS', {
	signature: text(4).at(0),
	length: u32.at(4),
	hardwareSignature: u32.at(8),
	firmwareWakingVector: u32.at(12),
	globalLock: u32.at(16),
	flags: u32.at(20),
	xFirmwareWakingVector: u64.at(24),
	version: u8.at(32),
	reserved1: reserved(3).at(33),
	ospmFlags: u32.at(36),
	reserved2: reserved(24).at(40),
}).sized(64, 'ACPI 6.5, table 5.12');

/** FACS: the global lock, free, and the vectors of a wake-up that this machine does not have. The guest writes to both. */
export function buildFacs(): Uint8Array {
	return facs.encode({signature: 'FACS', length: facs.size, version: 2});
}
