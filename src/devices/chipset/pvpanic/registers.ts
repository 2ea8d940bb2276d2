/** Events of the port, one bit each (QEMU docs/specs/pvpanic). A read gives those that the host handles. */
export const PanicEvent = {
	PANICKED: 1 << 0,
	/** The guest panicked and now runs its crash kernel. */
	CRASH_LOADED: 1 << 1,
	/** The guest has shut down in good order. */
	SHUTDOWN: 1 << 2,
} as const;

/** What a read gives. */
export const supportedEvents = PanicEvent.PANICKED | PanicEvent.CRASH_LOADED | PanicEvent.SHUTDOWN;
