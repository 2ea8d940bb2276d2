/** Bytes that keyboard and mouse have in common (IBM PS/2 Hardware Interface Technical Reference). */
export const Ps2 = {
	ACK: 0xfa,
	/** "Send that again": the answer to what a device does not know, and a request to it. */
	RESEND: 0xfe,
	RESET: 0xff,
	/** The self-test after a reset has passed. */
	TEST_PASSED: 0xaa,
} as const;
