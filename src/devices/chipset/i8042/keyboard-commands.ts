/** Commands to the keyboard (IBM PS/2 Hardware Interface Technical Reference, 101- and 102-key keyboards). */
export const KeyboardCommand = {
	SET_LEDS: 0xed,
	ECHO: 0xee,
	SELECT_SET: 0xf0,
	READ_ID: 0xf2,
	SET_TYPEMATIC: 0xf3,
	ENABLE: 0xf4,
	/** Defaults, and no more keys. */
	DISABLE: 0xf5,
	DEFAULTS: 0xf6,
	/** 0xf7–0xfa: how all keys behave in set 3. */
	ALL_KEYS_FIRST: 0xf7,
	ALL_KEYS_LAST: 0xfa,
	/** 0xfb–0xfd: how those keys behave in set 3 whose codes follow. */
	SOME_KEYS_FIRST: 0xfb,
	SOME_KEYS_LAST: 0xfd,
} as const;

/** Every byte from here on is a command, also where an argument was expected. */
export const firstKeyboardCommand = KeyboardCommand.SET_LEDS;

export const keyboardId: readonly number[] = [0xab, 0x83];

/** Settings after a reset: set 2, 10.9 characters per second after half a second. */
export const keyboardDefaults = {set: 2, typematic: 0x2b} as const;
