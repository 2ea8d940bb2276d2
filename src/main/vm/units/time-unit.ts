import type {VmTime} from '#devices/vm-time';
import {type ClockPolicy, parseClockPolicy} from '#main/config';
import {stateError} from '#support/saved-state';
import type {StateUnit} from '#support/state-units';
import {vmError} from '../errors.ts';

const yearNs = 365.25 * 86_400e9;

/** VM time comes this far: devices count it in floating point, exactly enough for so long. */
export const maxVmTimeNs = 10 * yearNs;

/** The largest value of a JavaScript date, in milliseconds. */
const maxDateMs = 8.64e15;

/** VM time, and the moment of real time at which it stood still, as a snapshot has them. */
interface SavedTime {
	readonly nowNs: number;
	/** See `VmTime.caughtUpNs`. */
	readonly caughtUpNs: number;
	/** Unix milliseconds. */
	readonly stoppedAtMs: number;
}

/** The real times that a machine's time is measured by, in Unix milliseconds. */
export interface TimeOrigins {
	/** Time at which VM time was 0, as the devices have it. */
	readonly baseTimeMs: number;
	/** Time of the snapshot that the machine begins with, for one whose time unit does not say. */
	readonly snapshotMs?: number;
	/** Now. */
	readonly realMs?: () => number;
}

/** The guest's time, by which all its clocks go: see `kvmclockUnit` and `VcpuGroup.start`. */
export class TimeUnit implements StateUnit {
	readonly name = 'time';
	readonly needs: readonly string[] = [];
	readonly #time: VmTime;
	readonly #baseTimeMs: number;
	readonly #snapshotMs: number | undefined;
	readonly #realMs: () => number;
	/** Real time at which VM time came to stand still. */
	#stoppedAtMs: number;
	#policy: ClockPolicy = 'continue';

	constructor(time: VmTime, {baseTimeMs, snapshotMs, realMs = Date.now}: TimeOrigins) {
		this.#time = time;
		this.#baseTimeMs = baseTimeMs;
		this.#snapshotMs = snapshotMs;
		this.#realMs = realMs;
		this.#stoppedAtMs = realMs();
	}

	/**
	 * Chooses what the next start does about the time that has passed; those after it let VM time go on where it was.
	 * @throws VM_CLOCK_TOO_FAR, CONFIG_VALUE_INVALID
	 */
	choose(policy: ClockPolicy): void {
		const checked = parseClockPolicy(policy, 'clock');
		if (checked === 'catch-up' && this.#time.nowNs() + this.#passedNs() > maxVmTimeNs) {
			const since = new Date(this.#stoppedAtMs).toISOString();
			throw vmError('VM_CLOCK_TOO_FAR', {since, most: Math.round(maxVmTimeNs / yearNs)});
		}
		this.#policy = checked;
	}

	start(): void {
		if (this.#policy === 'catch-up') this.#time.catchUp(this.#passedNs());
		this.#policy = 'continue';
		this.#time.setLag(this.#realMs() - this.#baseTimeMs - this.#time.nowNs() / 1e6);
		this.#time.start();
	}

	stop(): void {
		this.#time.stop();
		this.#stoppedAtMs = this.#realMs();
	}

	save(): SavedTime {
		return {nowNs: this.#time.nowNs(), caughtUpNs: this.#time.caughtUpNs, stoppedAtMs: this.#stoppedAtMs};
	}

	restore(saved: unknown): void {
		// Earlier programs saved VM time alone.
		const fields = typeof saved === 'number' ? {nowNs: saved, caughtUpNs: 0, stoppedAtMs: this.#snapshotMs} : saved;
		const {nowNs, caughtUpNs, stoppedAtMs} = (fields ?? {}) as Partial<Record<keyof SavedTime, unknown>>;
		if (!isUpTo(nowNs, maxVmTimeNs)) throw wrong('nowNs');
		if (!isUpTo(caughtUpNs, nowNs)) throw wrong('caughtUpNs');
		if (!isUpTo(stoppedAtMs, maxDateMs)) throw wrong('stoppedAtMs');
		this.#time.set(nowNs, caughtUpNs);
		this.#stoppedAtMs = stoppedAtMs;
	}

	/** Real time that has passed since VM time came to stand still; none where the host's clock says less than then. */
	#passedNs(): number {
		return Math.max(0, this.#realMs() - this.#stoppedAtMs) * 1e6;
	}
}

const isUpTo = (value: unknown, most: number): value is number =>
	typeof value === 'number' && value >= 0 && value <= most;

const wrong = (field: string) => stateError('STATE_FIELD_WRONG', {struct: 'time', field});
