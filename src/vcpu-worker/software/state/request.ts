/** Bits of `CpuState.request`, which other threads set to have a processor look. */
export const Request = {
	/** Somebody has kicked: whoever runs the processor is to look. */
	KICK: 1,
	/** Its local APIC has something for it. */
	APIC: 2,
	/** Bytes have been written that it has decoded. */
	CODE: 4,
	/** Entries for stores are to be dropped; see `Rendezvous`. */
	WRITERS: 8,
	/** Another processor is alone for a moment; see `Rendezvous.exclusively`. */
	PAUSE: 32,
	/** There are answers to what it has asked for its translations. */
	TRANSLATIONS: 64,
	/** Another processor lets it go on from HLT. */
	UNHALT: 16,
} as const;
/** Those that the processor itself sees to. */
export const ownRequests: number = Request.CODE | Request.WRITERS | Request.PAUSE | Request.TRANSLATIONS;
