import {bytes, f64, i32, wire} from '#support/wire';

/** What precedes every device's struct in shared memory. */
export const DeviceHeader = wire('device-header', {
	/** The device's lock: held during every access and every locked action of its back. */
	lock: i32,
	/** What the device's reset waits for: see `device-reset.ts`. */
	reset: i32,
	/** See `PciSlot.interruptSequence`. */
	interruptSequence: i32,
	/** Whether it has failed: see `device-failure.ts`. */
	failure: i32,
	/** Accesses served, for inspect. */
	accesses: f64,
	/** What its back does: see {@link backPhases}. */
	back: i32,
	/** 1 while the back does not come to rest though its time is over: what it uses must stay. */
	late: i32,
	/** What the failure was, in UTF-8, zero after it. */
	failureText: bytes(224),
});

/** What a device's back does, as its header's number says it. */
export const backPhases = ['stopped', 'running', 'stopping'] as const;
