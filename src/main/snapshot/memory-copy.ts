import type {WriteLog} from '#devices/guest-memory';
import {chunkBytes, type JobPool, type RamPages} from '#main/jobs';
import {writeRam} from '#main/memory';
import type {LongOperation} from '#support/abort';

/** So little is left for when the guest stands still. */
const littleBytes = 16 * chunkBytes;
/** A round that leaves more than this part of the one before would not come to an end. */
const worthwhile = 0.75;

/** Checksums as the manifest has them. */
export const checksumsText = ({buffer}: Uint32Array): string => Buffer.from(buffer).toString('base64');

/**
 * Copies a machine's memory to a file: while its guest runs, round after round what has been written since the round before,
 * and the rest when it stands still.
 */
export class MemoryCopy {
	/** Size of all memory. */
	readonly bytes: number;
	readonly #pool: JobPool;
	readonly #ram: RamPages;
	readonly #file: {readonly fd: number; readonly start: 0};
	readonly #asked: LongOperation;
	#checksums: Uint32Array | undefined;
	/** Chunks that have had memory in some round, by range: the file may have anything there. */
	#populated: readonly (readonly boolean[])[] = [];
	#log: WriteLog | undefined;
	/** The last generation of writes that the file has all of. */
	#copied = 0;

	constructor(pool: JobPool, ram: RamPages, fd: number, asked: LongOperation) {
		this.bytes = ram.ranges.reduce((sum, {length}) => sum + length, 0);
		this.#pool = pool;
		this.#ram = ram;
		this.#file = {fd, start: 0};
		this.#asked = asked;
	}

	/** CRC-32 of every chunk, as the manifest has them. */
	get checksums(): string {
		return checksumsText(this.#checksums ?? new Uint32Array());
	}

	/** Copies while the guest runs, until little has been written since or the guest writes as fast as this copies. */
	async whileWritten(log: WriteLog): Promise<void> {
		this.#log = log;
		this.#copied = log.checkpoint();
		await this.#copyAll();
		for (let before = this.bytes; ; ) {
			const generation = log.checkpoint();
			const {written, bytes} = this.#written(log);
			if (bytes <= littleBytes || bytes > before * worthwhile) return;
			await this.#copyAgain(written, bytes);
			this.#copied = generation;
			before = bytes;
		}
	}

	/** Copies what is missing. The guest stands still. */
	async finish(): Promise<void> {
		if (this.#log === undefined) return this.#copyAll();
		this.#log.checkpoint();
		const {written, bytes} = this.#written(this.#log);
		await this.#copyAgain(written, bytes);
	}

	async #copyAll(): Promise<void> {
		this.#populated = await this.#pool.populatedChunks(this.#ram);
		this.#checksums = await writeRam(this.#pool, this.#ram, this.#populated, this.#file, this.#asked);
	}

	/** Much is often all of RAM, since a processor did not answer in time: what never had memory stays a hole. */
	async #copyAgain(written: readonly (readonly boolean[])[], bytes: number): Promise<void> {
		const wanted = bytes > littleBytes ? await this.#withMemory(written) : written;
		await writeRam(this.#pool, this.#ram, wanted, this.#file, this.#asked, this.#checksums);
	}

	async #withMemory(written: readonly (readonly boolean[])[]): Promise<readonly (readonly boolean[])[]> {
		const now = await this.#pool.populatedChunks(this.#ram);
		this.#populated = this.#populated.map((marks, range) =>
			marks.map((mark, chunk) => mark || now[range]?.[chunk] === true),
		);
		return written.map((marks, range) => marks.map((mark, chunk) => mark && this.#populated[range]?.[chunk] === true));
	}

	/** Chunks that have been written to since they were copied, by range. */
	#written(log: WriteLog): {written: boolean[][]; bytes: number} {
		let chunks = 0;
		const written = this.#ram.ranges.map(({gpa, length}) => {
			const marks = new Array<boolean>(Math.ceil(length / chunkBytes)).fill(false);
			log.writtenAfter(this.#copied, {gpa, length}, (start, bytes) => {
				marks.fill(true, Math.floor((start - gpa) / chunkBytes), Math.ceil((start - gpa + bytes) / chunkBytes));
			});
			chunks += marks.filter(Boolean).length;
			return marks;
		});
		return {written, bytes: chunks * chunkBytes};
	}
}
