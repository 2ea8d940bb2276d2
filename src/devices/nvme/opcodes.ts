/** Admin commands that are served (NVM Express Base 2.0, 3.1.2.1.1). */
export const AdminOpcode = {
	DELETE_SUBMISSIONS: 0x00,
	CREATE_SUBMISSIONS: 0x01,
	LOG_PAGE: 0x02,
	DELETE_COMPLETIONS: 0x04,
	CREATE_COMPLETIONS: 0x05,
	IDENTIFY: 0x06,
	ABORT: 0x08,
	SET_FEATURES: 0x09,
	GET_FEATURES: 0x0a,
	EVENT_REQUEST: 0x0c,
	DOORBELL_BUFFER: 0x7c,
} as const;

/** Commands of the NVM command set that are served (NVM Command Set 1.0, 3.2). */
export const IoOpcode = {FLUSH: 0x00, WRITE: 0x01, READ: 0x02, WRITE_ZEROES: 0x08, DATASET: 0x09} as const;

/** Those of them that change what is on a namespace. */
export const changingOpcodes: readonly number[] = [IoOpcode.WRITE, IoOpcode.WRITE_ZEROES, IoOpcode.DATASET];

/** Namespace id of all namespaces. */
export const everyNamespace = 0xffff_ffff;
