import {foregroundGroup, processGroup} from '#support/ffi';

/** Interval of looks while in the background: a shell's `fg` of a job that runs sends no signal. */
const lookMs = 200;

/**
 * Tells whether this process may use the terminal at a descriptor: a shell with job control stops a process of another group than
 * the foreground's for reading from it and for changing its mode.
 */
export class Foreground {
	readonly #fd: number;
	readonly #looked: (isOurs: boolean) => void;
	#looking: NodeJS.Timeout | undefined;

	/** @param looked - called with the answer of each {@link look}: also after each stop of the process, as the terminal's mode may have changed */
	constructor(fd: number, looked: (isOurs: boolean) => void) {
		this.#fd = fd;
		this.#looked = looked;
		process.on('SIGCONT', this.look);
	}

	/** A terminal that does not control this process stops nobody. */
	get isOurs(): boolean {
		const group = foregroundGroup(this.#fd);
		return group < 0 || group === processGroup();
	}

	/**
	 * Looks now, and in the background until this process comes to the foreground. The terminal changes hands at any moment: what is done
	 * about an answer and whether to look again follow from the same one.
	 */
	readonly look = (): void => {
		const isOurs = this.isOurs;
		clearTimeout(this.#looking);
		if (!isOurs) this.#lookAgain();
		this.#looked(isOurs);
	};

	close(): void {
		process.off('SIGCONT', this.look);
		clearTimeout(this.#looking);
	}

	#lookAgain(): void {
		this.#looking = setTimeout(() => (this.isOurs ? this.look() : this.#lookAgain()), lookMs).unref();
	}
}
