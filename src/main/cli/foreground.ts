import {foregroundGroup, processGroup} from '#support/ffi';

/** Interval of looks while in the background: a shell's `fg` of a job that runs sends no signal. */
const lookMs = 200;

/**
 * True where this process may use the terminal at a descriptor: a shell with job control stops a process of another group than
 * the foreground's for reading from it and for changing its mode.
 */
export class Foreground {
	readonly #fd: number;
	readonly #changed: () => void;
	#looking: NodeJS.Timeout | undefined;

	/** @param changed - called when the answer may have changed, or the terminal's mode: also after each stop of the process */
	constructor(fd: number, changed: () => void) {
		this.#fd = fd;
		this.#changed = changed;
		process.on('SIGCONT', this.#look);
		this.#lookAgain(this.isOurs);
	}

	/** A terminal that does not control this process stops nobody. */
	get isOurs(): boolean {
		const group = foregroundGroup(this.#fd);
		return group < 0 || group === processGroup();
	}

	close(): void {
		process.off('SIGCONT', this.#look);
		clearTimeout(this.#looking);
	}

	readonly #look = (): void => {
		// Asked before: who comes to the foreground in between is told by the next look.
		const wasOurs = this.isOurs;
		this.#changed();
		this.#lookAgain(wasOurs);
	};

	#lookAgain(isOurs: boolean): void {
		clearTimeout(this.#looking);
		if (isOurs) return;
		this.#looking = setTimeout(() => (this.isOurs ? this.#look() : this.#lookAgain(false)), lookMs).unref();
	}
}
