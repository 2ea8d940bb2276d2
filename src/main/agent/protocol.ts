/** The protocol of guide/agent.md in numbers. `flowey/guest-agent/source/protocol.h` has the same, and a test compares them. */

/** 16 bytes, none of them zero: they cannot lie across a frame's header, so who breaks payloads within them sends them in greetings alone. */
export const magic = Buffer.from('openvmm-agent/\xfe\xed', 'latin1');

/** Sizes in bytes, and numbers that neither side goes beyond. */
export const limits = {
	MAGIC_SIZE: 16,
	NONCE_SIZE: 16,
	LOWEST_VERSION: 1,
	HIGHEST_VERSION: 1,
	/** Magic, nonce, lowest and highest version, u32: flags of the host's, or the size of the facts that follow the agent's. */
	GREETING_SIZE: 40,
	MOST_FACTS: 1024,
	HEADER_SIZE: 8,
	MOST_PAYLOAD: 65528,
	MOST_CHANNEL: 1023,
	/** What a sender of a stream may send before it is given credit. */
	WINDOW: 262144,
	MOST_PATH: 4095,
	MOST_WORDS: 4096,
	MOST_ENTROPY: 512,
} as const;

export const flags = {
	GREETING_KILL: 1,
	SPAWN_TERMINAL: 1,
	SPAWN_CLEAR_ENVIRONMENT: 2,
	SPAWN_NO_INPUT: 4,
	WRITE_APPEND: 1,
	WRITE_ATOMIC: 2,
	PATH_NO_FOLLOW: 1,
	PATH_RECURSIVE: 2,
	PATH_FORCE: 4,
	MOUNT_READ_ONLY: 1,
	MOUNT_MAKE_TARGET: 2,
	SHUTDOWN_POWER_OFF: 0,
	SHUTDOWN_REBOOT: 1,
	SHUTDOWN_HALT: 2,
	EXIT_STATUS: 0,
	EXIT_SIGNAL: 1,
} as const;

export const frames = {
	OPEN: 1,
	REPLY: 2,
	FAIL: 3,
	DATA: 4,
	END: 5,
	CREDIT: 6,
	EXIT: 7,
	SIGNAL: 8,
	RESIZE: 9,
	CLOSE: 10,
	CLOSED: 11,
} as const;

/** Streams of a channel, as the host sees them. */
export const streams = {INPUT: 0, OUTPUT: 1, ERRORS: 2} as const;

export const operations = {
	SPAWN: 1,
	READ: 2,
	WRITE: 3,
	STAT: 4,
	READDIR: 5,
	MKDIR: 6,
	REMOVE: 7,
	RENAME: 8,
	SYMLINK: 9,
	READLINK: 10,
	CHMOD: 11,
	CHOWN: 12,
	UTIMES: 13,
	WATCH: 14,
	CONNECT_TCP: 15,
	CONNECT_UNIX: 16,
	SET_CLOCK: 17,
	RESEED: 18,
	MOUNT: 19,
	SHUTDOWN: 20,
} as const;

/** What failed, by its number; as a person reads it. */
export const steps: readonly (string | undefined)[] = [
	undefined,
	'decode',
	'channel',
	'memory',
	'pipe',
	'terminal',
	'user',
	'fork',
	'session',
	'identity',
	'folder',
	'exec',
	'open',
	'read',
	'write',
	'stat',
	'mkdir',
	'remove',
	'rename',
	'link',
	'attributes',
	'watch',
	'address',
	'connect',
	'clock',
	'entropy',
	'mount',
	'shutdown',
];
