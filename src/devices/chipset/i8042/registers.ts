/** The PC's keyboard controller (IBM PS/2 Hardware Interface Technical Reference, keyboard and auxiliary controller). */
export const dataPort = 0x60;
export const commandPort = 0x64;

/**
 * Status register, read at {@link commandPort}. Every write is taken and every device answers at once, so the bits for
 * a full input buffer (1), a timeout (6) and a parity error (7) are never set.
 */
export const Status = {
	/** A byte waits at {@link dataPort}. */
	OUTPUT_FULL: 1 << 0,
	/** {@link Mode.SYSTEM_FLAG} of the mode byte: the self-test has passed. */
	SYSTEM_FLAG: 1 << 2,
	/** The latest write was a command. */
	COMMAND: 1 << 3,
	/** The keyboard is not locked. */
	UNLOCKED: 1 << 4,
	/** The byte that waits is the mouse's. */
	AUX_OUTPUT_FULL: 1 << 5,
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
	KEYBOARD_INTERRUPT: 1 << 0,
	AUX_INTERRUPT: 1 << 1,
	SYSTEM_FLAG: 1 << 2,
	KEYBOARD_DISABLED: 1 << 4,
	AUX_DISABLED: 1 << 5,
	/** The keyboard's scan codes are translated from set 2 to set 1. */
	TRANSLATE: 1 << 6,
	/** Both devices disabled, scan code translation, self-test passed. */
	INITIAL: 0x74,
} as const;

/** Source of the byte in a buffer. */
export const Source = {NONE: 0, KEYBOARD: 1, AUX: 2} as const;
export type Source = (typeof Source)[keyof typeof Source];

/** Input port: the keyboard is not locked. */
export const inputPort = 0x80;

/** Output port: line 0 low resets, line 1 is the A20 gate, which is always open here. */
export const OutputPort = {NO_RESET: 1 << 0, A20: 1 << 1, KEYBOARD_FULL: 1 << 4, AUX_FULL: 1 << 5} as const;

export const selfTestPassed = 0x55;
/** Interface test: no error. */
export const interfaceWorks = 0x00;
