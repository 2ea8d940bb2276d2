/** Commands to the mouse (IBM PS/2 Hardware Interface Technical Reference, mouse). */
export const MouseCommand = {
	SCALING_1: 0xe6,
	SCALING_2: 0xe7,
	SET_RESOLUTION: 0xe8,
	READ_STATUS: 0xe9,
	STREAM_MODE: 0xea,
	READ_DATA: 0xeb,
	LEAVE_WRAP_MODE: 0xec,
	WRAP_MODE: 0xee,
	REMOTE_MODE: 0xf0,
	READ_ID: 0xf2,
	SET_RATE: 0xf3,
	ENABLE: 0xf4,
	DISABLE: 0xf5,
	DEFAULTS: 0xf6,
} as const;

/** Kinds of mouse, by ID. */
export const MouseId = {
	PLAIN: 0,
	/** IntelliMouse: a wheel. */
	WHEEL: 3,
	/** IntelliMouse Explorer: a wheel and five buttons. */
	FIVE_BUTTONS: 4,
} as const;

/** Settings after a reset: 4 counts per millimetre, 100 reports per second. */
export const mouseDefaults = {resolution: 2, rate: 100} as const;

export const highestResolution = 3;

/** Bytes of the longest packet. */
export const longestPacket = 4;

/** The kind that a series of sample rates asks for; undefined when they are just rates (Microsoft, IntelliMouse). */
export function idForRates(first: number, second: number, third: number): number | undefined {
	if (first !== 200 || third !== 80) return undefined;
	if (second === 100) return MouseId.WHEEL;
	return second === 200 ? MouseId.FIVE_BUTTONS : undefined;
}
