import {packed, reserved, u8} from '#support/wire';

/** How a command ended (SAM-5, 5.3). */
export const ScsiStatus = {GOOD: 0x00, CHECK_CONDITION: 0x02} as const;
export type ScsiStatus = (typeof ScsiStatus)[keyof typeof ScsiStatus];

/** What was wrong with a command, or has happened: sense key, additional sense code and its qualifier (SPC-4, 4.5). */
export interface Sense {
	readonly key: number;
	readonly code: number;
	readonly qualifier: number;
}

const sense = (key: number, code: number, qualifier = 0): Sense => ({key, code, qualifier});
const [NO_SENSE, NOT_READY, MEDIUM_ERROR, ILLEGAL_REQUEST, UNIT_ATTENTION, DATA_PROTECT, ABORTED] = [
	0x0, 0x2, 0x3, 0x5, 0x6, 0x7, 0xb,
];

/** Those that there are (SPC-4, tables 48 and D.2). */
export const Senses = {
	NONE: sense(NO_SENSE, 0x00),
	BECOMING_READY: sense(NOT_READY, 0x04, 0x01),
	NO_MEDIUM: sense(NOT_READY, 0x3a, 0x01),
	TRAY_OPEN: sense(NOT_READY, 0x3a, 0x02),
	WRITE_ERROR: sense(MEDIUM_ERROR, 0x0c),
	READ_ERROR: sense(MEDIUM_ERROR, 0x11),
	LIST_LENGTH: sense(ILLEGAL_REQUEST, 0x1a),
	INVALID_OPCODE: sense(ILLEGAL_REQUEST, 0x20),
	OUT_OF_RANGE: sense(ILLEGAL_REQUEST, 0x21),
	INVALID_FIELD: sense(ILLEGAL_REQUEST, 0x24),
	NO_SUCH_UNIT: sense(ILLEGAL_REQUEST, 0x25),
	INVALID_PARAMETER: sense(ILLEGAL_REQUEST, 0x26),
	SAVING_UNSUPPORTED: sense(ILLEGAL_REQUEST, 0x39),
	REMOVAL_PREVENTED: sense(ILLEGAL_REQUEST, 0x53, 0x02),
	MEDIUM_CHANGED: sense(UNIT_ATTENTION, 0x28),
	WAS_RESET: sense(UNIT_ATTENTION, 0x29),
	CAPACITY_CHANGED: sense(UNIT_ATTENTION, 0x2a, 0x09),
	UNITS_CHANGED: sense(UNIT_ATTENTION, 0x3f, 0x0e),
	WRITE_PROTECTED: sense(DATA_PROTECT, 0x27),
	NO_SPACE: sense(DATA_PROTECT, 0x27, 0x07),
	DATA_PHASE: sense(ABORTED, 0x4b),
} as const satisfies Readonly<Record<string, Sense>>;

/** Fixed format of sense data (SPC-4, 4.5.3). */
const FixedSense = packed('fixed_sense', {
	response: u8,
	segment: reserved(1),
	key: u8,
	information: reserved(4),
	additional: u8,
	specific: reserved(4),
	code: u8,
	qualifier: u8,
	rest: reserved(4),
}).sized(18, 'SPC-4, 4.5.3');

/** Descriptor format, of which there are no descriptors (4.5.2). */
const DescriptorSense = packed('descriptor_sense', {
	response: u8,
	key: u8,
	code: u8,
	qualifier: u8,
	rest: reserved(4),
}).sized(8, 'SPC-4, 4.5.2');

/** Bytes of the longer format. */
export const mostSenseBytes: number = FixedSense.size;

/** Sense data of the current command, in the format that the initiator has chosen. */
export const encodeSense = (value: Sense, hasDescriptors: boolean): Uint8Array =>
	hasDescriptors
		? DescriptorSense.encode({response: 0x72, ...value})
		: FixedSense.encode({response: 0x70, additional: FixedSense.size - 8, ...value});
