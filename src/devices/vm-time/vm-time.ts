import {monotonicNs, readMonotonicNs} from '#support/ffi';
import {type Cell, cell, f64, i32, type ViewOf, wire} from '#support/wire';

/** The clock's shared words: written by the owner while every vCPU is stopped, read by everybody. */
export const VmTimeState = wire('vm-time', {
	/** 1 while the VM runs. */
	running: i32,
	/** While running: host monotonic time minus VM time. While stopped: the VM time itself. Nanoseconds. */
	offsetNs: f64,
	/** VM time that the guest did not run through but was moved on by, in nanoseconds. */
	caughtUpNs: f64,
	/** Lead of real time over VM time since power-on, in milliseconds. */
	lagMs: f64,
});

/**
 * The guest's clock: nanoseconds since power-on, advancing while the VM runs, and moved on when the VM is to catch up with
 * real time. The same on every thread.
 */
export class VmTime {
	readonly #state: ViewOf<typeof VmTimeState>;
	readonly #offsetNs: Cell;
	readonly #lagMs: Cell;
	readonly #now = cell();

	constructor(buffer: SharedArrayBuffer, byteOffset = 0) {
		this.#state = VmTimeState.on(buffer, byteOffset);
		this.#offsetNs = VmTimeState.cell(this.#state, 'offsetNs');
		this.#lagMs = VmTimeState.cell(this.#state, 'lagMs');
	}

	/** Nanoseconds of VM time. */
	nowNs(): number {
		this.look(this.#now);
		return this.#now[0];
	}

	/** Leaves the nanoseconds of VM time in `now[0]`. For accesses: a number that a function returns may be an object. */
	look(now: Float64Array): void {
		const offsetNs = this.#offsetNs[0];
		if (this.#state.running === 1) {
			readMonotonicNs(now);
			now[0] = (now[0] as number) - offsetNs;
		} else now[0] = offsetNs;
	}

	/** Leaves the milliseconds of real time since power-on in `now[0]`: those of VM time, and how far it is behind. */
	lookReal(now: Float64Array): void {
		this.look(now);
		now[0] = (now[0] as number) / 1e6 + this.#lagMs[0];
	}

	/** Nanoseconds that the VM has run: what was caught up does not count. For limits on how long a guest may take. */
	ranNs(): number {
		return this.nowNs() - this.#state.caughtUpNs;
	}

	/** VM time that was caught up, in nanoseconds. */
	get caughtUpNs(): number {
		return this.#state.caughtUpNs;
	}

	/** Lead of real time over VM time since power-on, in milliseconds; negative after the host's clock was set back. */
	get lagMs(): number {
		return this.#state.lagMs;
	}

	/** Lets time advance. For the VM's owner, before the vCPUs start. */
	start(): void {
		if (this.#state.running === 1) return;
		this.#state.offsetNs = monotonicNs() - this.#state.offsetNs;
		this.#state.running = 1;
	}

	/** Sets stopped time, in nanoseconds, and how much of it was caught up. */
	set(ns: number, caughtUpNs = 0): void {
		this.#checkStopped();
		this.#state.offsetNs = ns;
		this.#state.caughtUpNs = caughtUpNs;
	}

	/** Moves stopped time on. */
	catchUp(ns: number): void {
		this.#checkStopped();
		this.#state.offsetNs += ns;
		this.#state.caughtUpNs += ns;
	}

	/** Sets {@link lagMs}. For the VM's owner, while time stands still. */
	setLag(ms: number): void {
		this.#checkStopped();
		this.#state.lagMs = ms;
	}

	/** Stops time. For the VM's owner, after the vCPUs have stopped. */
	stop(): void {
		if (this.#state.running === 0) return;
		this.#state.offsetNs = monotonicNs() - this.#state.offsetNs;
		this.#state.running = 0;
	}

	#checkStopped(): void {
		if (this.#state.running === 1) throw new TypeError('VM time is set while it runs');
	}
}
