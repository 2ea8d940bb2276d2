import {constants} from 'node:fs';
import {type FileHandle, open} from 'node:fs/promises';
import type {BackWork} from '#devices/device';
import {macText} from '#devices/network/packet';
import {Errno, lockFile} from '#support/ffi';
import type {Timer} from '#support/reactor';
import type {Clock} from '../clock.ts';
import type {GuestCountersView} from '../counters.ts';
import {userNetworkError} from '../errors.ts';
import type {Decision} from './verdict.ts';

/** Bytes that wait for the file, and those that it gets in a second: a guest can have as many decisions as it likes. */
const [mostWaiting, mostOfSecond] = [2 ** 20, 2 ** 20];
const secondMs = 1000;

/** What a file is written with. */
export interface DecisionFileHost extends Pick<BackWork, 'track'> {
	readonly clock: Pick<Clock, 'now' | 'after'>;
	readonly counters: Pick<GuestCountersView, 'decisionsWritten' | 'decisionsLost'>;
}

/** Decisions, and how many of them are to refuse. */
interface Counts {
	readonly decisions: number;
	readonly refusals: number;
}

const none: Counts = {decisions: 0, refusals: 0};
const sum = (one: Counts, other: Counts): Counts => ({
	decisions: one.decisions + other.decisions,
	refusals: one.refusals + other.refusals,
});

/** Lines that wait: those of decisions, and what others say of decisions that were lost. */
interface Waiting {
	readonly text: string;
	readonly counts: Counts;
	readonly lost: Counts;
}

const nothing: Waiting = {text: '', counts: none, lost: none};

/**
 * A file to which each decision of a network is added, as a line of JSON. Nobody waits for it: where there is no room for some, or the host takes none, a line
 * says how many there were, a second later.
 */
export class DecisionFile {
	readonly #file: FileHandle;
	readonly #host: DecisionFileHost;
	#waiting = nothing;
	#lost = none;
	#beganMs = Number.NEGATIVE_INFINITY;
	#ofSecond = 0;
	#writing: Promise<void> | undefined;
	#telling: Timer | undefined;

	private constructor(file: FileHandle, host: DecisionFileHost) {
		this.#file = file;
		this.#host = host;
	}

	/** Makes the file, or goes on with it, unless somebody else writes to it. @throws VmmError NETWORK_DECISIONS_UNUSABLE */
	static async open(path: string, host: DecisionFileHost): Promise<DecisionFile> {
		let file: FileHandle | undefined;
		try {
			// A pipe that nobody reads would keep it waiting.
			const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NONBLOCK;
			file = await open(path, flags);
			if (lockFile(file.fd) === -Errno.EAGAIN) throw new Error('another network writes to it');
			if (!(await file.stat()).isFile()) throw new Error('it is no file');
			return new DecisionFile(file, host);
		} catch (cause) {
			await file?.close();
			throw userNetworkError('NETWORK_DECISIONS_UNUSABLE', {path, cause: (cause as Error).message}, {cause});
		}
	}

	/** Adds a decision. @param mac - of the guest, if it is still there */
	add({kind, detail, ...attempt}: Decision, mac?: Uint8Array): void {
		const known = {...(mac !== undefined && {mac: macText(mac)}), ...(detail !== '' && {detail})};
		const line = lineOf({decision: kind, ...attempt, ...known});
		const counts = {decisions: 1, refusals: kind === 'refuse' ? 1 : 0};
		if (this.#hasRoom(Buffer.byteLength(line))) this.#add({text: line, counts, lost: none});
		else this.#lose(counts);
	}

	get isWriting(): boolean {
		return this.#writing !== undefined;
	}

	/** Resolves when all that was added is in the file, or is not and will not be. */
	async written(): Promise<void> {
		await this.#writing;
	}

	/** Lets go of the file, which has all that it was given. */
	async close(): Promise<void> {
		this.#telling?.cancel();
		await this.#writing;
		this.#tellLost();
		await this.#writing;
		this.#telling?.cancel();
		await this.#file.close();
	}

	#hasRoom(bytes: number): boolean {
		const now = this.#host.clock.now();
		if (now - this.#beganMs >= secondMs) [this.#beganMs, this.#ofSecond] = [now, 0];
		if (this.#ofSecond + bytes > mostOfSecond || this.#waiting.text.length + bytes > mostWaiting) return false;
		this.#ofSecond += bytes;
		return true;
	}

	#add({text, counts, lost}: Waiting): void {
		const {text: before, counts: countsBefore, lost: lostBefore} = this.#waiting;
		this.#waiting = {text: before + text, counts: sum(countsBefore, counts), lost: sum(lostBefore, lost)};
		if (this.#writing !== undefined) return;
		this.#writing = this.#writeAll();
		this.#host.track(this.#writing, 'writing decisions');
	}

	#lose(counts: Counts): void {
		this.#host.counters.decisionsLost += counts.decisions;
		this.#lost = sum(this.#lost, counts);
		this.#telling ??= this.#host.clock.after(secondMs, () => this.#tellLost());
	}

	#tellLost(): void {
		this.#telling = undefined;
		const lost = this.#lost;
		if (lost.decisions === 0) return;
		this.#lost = none;
		this.#add({text: lineOf({lost: lost.decisions, refusals: lost.refusals}), counts: none, lost});
	}

	async #writeAll(): Promise<void> {
		// What comes in this turn of the thread goes together.
		await undefined;
		while (this.#waiting.text !== '') {
			const {text, counts, lost} = this.#waiting;
			this.#waiting = nothing;
			if (await this.#put(Buffer.from(text))) this.#host.counters.decisionsWritten += counts.decisions;
			else {
				this.#lost = sum(this.#lost, lost);
				this.#lose(counts);
			}
		}
		this.#writing = undefined;
	}

	/** False where the file has not all of it, and then nothing of it: a reader finds whole lines. */
	async #put(lines: Uint8Array): Promise<boolean> {
		try {
			const {bytesWritten} = await this.#file.write(lines);
			if (bytesWritten === lines.length) return true;
			await this.#file.truncate((await this.#file.stat()).size - bytesWritten);
		} catch {
			// It is told by the next line that the host takes, and by the counters.
		}
		return false;
	}
}

const lineOf = (fields: object): string => `${JSON.stringify({at: new Date().toISOString(), ...fields})}\n`;
