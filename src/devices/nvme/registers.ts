import {bits, flag, range, u32} from '#support/wire';

/** Offsets of controller properties (NVM Express Base 2.0, 3.1.3). */
export const Register = {
	CAP: 0x00,
	CAP_HIGH: 0x04,
	VS: 0x08,
	INTMS: 0x0c,
	INTMC: 0x10,
	CC: 0x14,
	CSTS: 0x1c,
	AQA: 0x24,
	ASQ: 0x28,
	ASQ_HIGH: 0x2c,
	ACQ: 0x30,
	ACQ_HIGH: 0x34,
	DOORBELLS: 0x1000,
} as const;

/** Most entries of an I/O queue, as OpenVMM's; of an admin queue the specification's (3.1.3.7). */
export const mostQueueEntries = 256;
export const mostAdminEntries = 4096;

/** Controller Capabilities (3.1.3.1). The other fields are 0: no stride between doorbells, pages of 4 KiB, no boot partition. */
const capLow = bits(u32, {
	/** Zero-based. */
	mostEntries: range(15, 0),
	contiguousQueues: flag(16),
	/** Units of 500 ms that a reset may take. */
	timeout: range(31, 24),
});
const capHigh = bits(u32, {nvmCommands: flag(5)});

export const capability = [
	capLow.encode({mostEntries: mostQueueEntries - 1, contiguousQueues: true, timeout: 0xff}),
	capHigh.encode({nvmCommands: true}),
] as const;

/** Version 2.0.0 (3.1.3.2). */
export const version = 0x0002_0000;

/** Controller Configuration (3.1.3.5). */
export const Configuration = {
	ENABLE: 0x1,
	/** Command set, page size and arbitration: those that are there are 0. */
	CHOICES: 0x70 | 0x780 | 0x3800,
	SHUTDOWN: 0xc000,
	SUBMISSION_ENTRY: 0xf_0000,
	COMPLETION_ENTRY: 0xf0_0000,
	ALL: 0xff_fff1,
} as const;

/** Sizes of entries, as powers of two, in their place in Controller Configuration: 64 and 16 bytes. */
export const entrySizes = (6 << 16) | (4 << 20);

/** Controller Status (3.1.3.6). */
export const Status = {READY: 0x1, FATAL: 0x2} as const;
export const shutdownShift = 2;

/** Shutdown Status (3.1.3.6). */
export const Shutdown = {NORMAL: 0, UNDER_WAY: 1, COMPLETE: 2} as const;

/** Bits of the admin queue's attributes (3.1.3.8): sizes, zero-based. */
export const adminSizes = 0x0fff_0fff;
/** The one page size, which queues begin at multiples of. */
export const pageBytes = 4096;
