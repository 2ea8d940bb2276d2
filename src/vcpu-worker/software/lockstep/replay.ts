import type {CodePages, DeviceSpace} from '#vcpu-worker/software/mmu';

/** Says what happens to what code does beyond registers and RAM: it happens, happens and is noted, or is taken from the notes. */
export type ReplayMode = 'live' | 'noted' | 'replayed';

interface Note {
	readonly request: string;
	readonly result: number;
}

/** The world beyond registers and RAM, for code that runs twice: what must happen once only does so the first time. */
export class Replay {
	readonly devices: DeviceSpace;
	readonly code: CodePages;
	#mode: ReplayMode = 'live';
	#notes: Note[] = [];
	/** Notes that are used already. */
	#done = 0;
	#isUnlike = false;

	/** @param endBehind - ends the block that runs behind the instruction of a record */
	constructor(devices: DeviceSpace, code: CodePages, endBehind: (record: number) => void) {
		this.devices = {
			read: (gpa, bytes) => this.#once(`read ${gpa} ${bytes}`, () => devices.read(gpa, bytes)),
			write: (gpa, bytes, value) => {
				this.#once(`write ${gpa} ${bytes} ${value}`, () => {
					devices.write(gpa, bytes, value);
					return 0;
				});
			},
		};
		this.code = {
			hasCode: (place) => code.hasCode(place),
			written: (place, length, record) => {
				const isOwn = this.#once(`code ${place} ${length}`, () => Number(code.written(place, length, record))) === 1;
				if (isOwn && this.#mode === 'replayed') endBehind(record);
				return isOwn;
			},
		};
	}

	begin(mode: ReplayMode): void {
		this.#mode = mode;
		this.#done = 0;
		this.#isUnlike = false;
		if (mode !== 'replayed') this.#notes = [];
	}

	/** True where the second run has asked for what the first one had asked for, and no less. */
	get isAlike(): boolean {
		return !this.#isUnlike && this.#done === this.#notes.length;
	}

	#once(request: string, act: () => number): number {
		if (this.#mode === 'live') return act();
		if (this.#mode === 'noted') {
			const result = act();
			this.#notes.push({request, result});
			return result;
		}
		const note = this.#notes[this.#done++];
		if (note?.request !== request) this.#isUnlike = true;
		return note?.result ?? 0;
	}
}
