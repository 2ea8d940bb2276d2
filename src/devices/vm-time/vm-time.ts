import {f64, i32, type StructView, sharedStruct} from '#support/shared-memory';

/** The clock's shared words: written by the owner while every vCPU is stopped, read by everybody. */
export const VmTimeState = sharedStruct('vm-time', {
	/** 1 while the VM runs. */
	running: i32(),
	/** While running: host monotonic time minus VM time. While stopped: the VM time itself. Nanoseconds. */
	offsetNs: f64(),
});

/** Host monotonic time in nanoseconds: exact to some nanoseconds while the host is up for less than 100 days. */
export function hostNowNs(): number {
	return Number(process.hrtime.bigint());
}

/** The guest's clock: nanoseconds since power-on, advancing only while the VM runs. The same on every thread. */
export class VmTime {
	readonly #state: StructView<(typeof VmTimeState)['fields']>;

	constructor(buffer: SharedArrayBuffer, byteOffset = 0) {
		this.#state = VmTimeState.on(buffer, byteOffset);
	}

	/** Nanoseconds of VM time. */
	nowNs(): number {
		return this.#state.running === 1 ? hostNowNs() - this.#state.offsetNs : this.#state.offsetNs;
	}

	/** Lets time advance. For the VM's owner, before the vCPUs start. */
	start(): void {
		if (this.#state.running === 1) return;
		this.#state.offsetNs = hostNowNs() - this.#state.offsetNs;
		this.#state.running = 1;
	}

	/** Sets stopped time, in nanoseconds. */
	set(ns: number): void {
		if (this.#state.running === 1) throw new TypeError('VM time is set while it runs');
		this.#state.offsetNs = ns;
	}

	/** Stops time. For the VM's owner, after the vCPUs have stopped. */
	stop(): void {
		if (this.#state.running === 0) return;
		this.#state.offsetNs = hostNowNs() - this.#state.offsetNs;
		this.#state.running = 0;
	}
}
