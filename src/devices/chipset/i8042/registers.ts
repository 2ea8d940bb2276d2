/** The PC's keyboard controller (IBM PS/2 Hardware Interface Technical Reference, keyboard and auxiliary controller). */
export const dataPort = 0x60;
export const commandPort = 0x64;

/** Status register, read at {@link commandPort}. */
export const Status = {
	/** A byte waits at {@link dataPort}. */
	OUTPUT_FULL: 1 << 0,
	/** The self-test has passed. */
	SYSTEM_FLAG: 1 << 2,
	/** The latest write was a command. */
	COMMAND: 1 << 3,
	/** The keyboard is not locked. */
	UNLOCKED: 1 << 4,
	/** A device did not answer in time. */
	TIMEOUT: 1 << 6,
} as const;

/** Commands, written to {@link commandPort}. */
export const Command = {
	READ_MODE: 0x20,
	WRITE_MODE: 0x60,
	DISABLE_AUX: 0xa7,
	ENABLE_AUX: 0xa8,
	TEST_AUX: 0xa9,
	SELF_TEST: 0xaa,
	TEST_KEYBOARD: 0xab,
	DISABLE_KEYBOARD: 0xad,
	ENABLE_KEYBOARD: 0xae,
	READ_INPUT_PORT: 0xc0,
	READ_OUTPUT_PORT: 0xd0,
	WRITE_OUTPUT_PORT: 0xd1,
	ECHO_AS_KEYBOARD: 0xd2,
	ECHO_AS_AUX: 0xd3,
	WRITE_AUX: 0xd4,
	/** 0xf0–0xff: pulls low the output lines whose bit is clear; line 0 is the processors' reset. */
	PULSE: 0xf0,
} as const;

/** Commands that are followed by a byte at {@link dataPort}. */
export const commandsWithData: readonly number[] = [
	Command.WRITE_MODE,
	Command.WRITE_OUTPUT_PORT,
	Command.ECHO_AS_KEYBOARD,
	Command.ECHO_AS_AUX,
	Command.WRITE_AUX,
];

/** Mode byte ("command byte") bits. */
export const Mode = {
	KEYBOARD_DISABLED: 1 << 4,
	AUX_DISABLED: 1 << 5,
	/** Both devices disabled, scan code translation, self-test passed. */
	INITIAL: 0x74,
} as const;

/** Output port: line 0 low resets, line 1 is the A20 gate, which is always open here. */
export const OutputPort = {NO_RESET: 1 << 0, A20: 1 << 1} as const;

export const selfTestPassed = 0x55;
/** Interface test: no error. */
export const interfaceWorks = 0x00;
/** Interface test: clock line stuck low; there is no auxiliary port. */
export const interfaceStuck = 0x01;
/** What a controller answers for a device that is not there, with {@link Status.TIMEOUT}. */
export const resend = 0xfe;
