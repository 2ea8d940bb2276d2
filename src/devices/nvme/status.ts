/** A status as completions have it: status code type in bits 10:8, status code in 7:0 (NVM Express Base 2.0, 4.5.3; NVM Command Set 1.0). */
export const CommandStatus = {
	SUCCESS: 0x000,
	INVALID_OPCODE: 0x001,
	INVALID_FIELD: 0x002,
	ID_CONFLICT: 0x003,
	DATA_TRANSFER: 0x004,
	INTERNAL: 0x006,
	ABORT_REQUESTED: 0x007,
	INVALID_NAMESPACE: 0x00b,
	COMMAND_SEQUENCE: 0x00c,
	SGL_SEGMENT: 0x00d,
	SGL_COUNT: 0x00e,
	SGL_LENGTH: 0x00f,
	SGL_TYPE: 0x011,
	PRP_OFFSET: 0x013,
	WRITE_PROTECTED: 0x020,
	LBA_RANGE: 0x080,
	CAPACITY: 0x081,
	QUEUE_COMPLETION: 0x100,
	QUEUE_ID: 0x101,
	QUEUE_SIZE: 0x102,
	ABORT_LIMIT: 0x103,
	EVENT_LIMIT: 0x105,
	INTERRUPT_VECTOR: 0x108,
	LOG_PAGE: 0x109,
	QUEUE_DELETION: 0x10c,
	NOT_SAVEABLE: 0x10d,
	NOT_CHANGEABLE: 0x10e,
	SIZE_LIMIT: 0x183,
	WRITE_FAULT: 0x280,
	UNRECOVERED_READ: 0x281,
} as const;
export type CommandStatus = (typeof CommandStatus)[keyof typeof CommandStatus];

/** Do Not Retry: the same command would fail again. */
const doNotRetry = 0x4000;

/** Those that another try may not have. */
const transient: readonly number[] = [
	CommandStatus.SUCCESS,
	CommandStatus.ABORT_REQUESTED,
	CommandStatus.ABORT_LIMIT,
	CommandStatus.CAPACITY,
	CommandStatus.WRITE_FAULT,
	CommandStatus.UNRECOVERED_READ,
];

/** The status field of a completion, without its phase. */
export const statusField = (status: CommandStatus): number =>
	transient.includes(status) ? status : status | doNotRetry;
