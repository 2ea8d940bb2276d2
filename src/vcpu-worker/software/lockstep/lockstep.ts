import {type Core, compile, type Translation} from '#vcpu-worker/software/interpreter';
import {type Mmu, type Store, StoreJournal} from '#vcpu-worker/software/mmu';
import {kinds} from '#vcpu-worker/software/semantics';
import {CpuState, MicroOp, withinSteps} from '#vcpu-worker/software/state';
import {buildRegions, type KnownStep, keyOf, loneRegion, readBlock} from '#vcpu-worker/software/translator';
import {Replay} from './replay.ts';

/** What has been compared. */
export interface LockstepCounters {
	/** Blocks that differ from each other. */
	blocks: number;
	/** Their steps, and bytes of WebAssembly. */
	steps: number;
	bytes: number;
	/** Executions of blocks that were compared. */
	rounds: number;
	differences: number;
}

interface Known {
	/** Undefined once it has been compared often enough. */
	translated: Translation | undefined;
	rounds: number;
}

/** A run's end: all that it leaves. */
interface Outcome {
	readonly stop: number;
	readonly state: Uint8Array;
	readonly stores: readonly Store[];
}

/** Bytes of a module without blocks. */
const emptyBytes = buildRegions([]).length;
/** Descriptions of differences that are kept. */
const maxDescriptions = 100;
/** Blocks that are remembered; others are taken to be compared already. */
const maxBlocks = 2 ** 20;

/**
 * Executes blocks by the interpreter, then once more by their translation from the same state, and compares all registers and stores. Devices see the
 * first run only. What the interpreter has done stays. Each block is compared its first few times; after that it runs as ever.
 */
export class Lockstep {
	readonly counters: LockstepCounters = {blocks: 0, steps: 0, bytes: 0, rounds: 0, differences: 0};
	/** What differed, with the code. */
	readonly descriptions: string[] = [];
	readonly #core: Core;
	readonly #mmu: Mmu;
	readonly #rounds: number;
	readonly #journal: StoreJournal;
	readonly #replay: Replay;
	readonly #known = new Map<string, Known>();
	/** Records of blocks that are done, while records stay what they are. */
	readonly #done = new Set<number>();
	#epoch = 0;

	/** @param rounds - how often each block is compared */
	constructor(core: Core, mmu: Mmu, rounds = 3) {
		this.#core = core;
		this.#mmu = mmu;
		this.#rounds = rounds;
		this.#journal = new StoreJournal(mmu.memory.buffer);
		this.#replay = new Replay(mmu.devices, mmu.code, (record) => core.endBehind(record));
		mmu.devices = this.#replay.devices;
		mmu.code = this.#replay.code;
	}

	/** True where the block of a record has been compared often enough to be found without a look here. */
	isDone(record: number): boolean {
		if (this.#epoch !== this.#core.codeEpoch) this.#done.clear();
		this.#epoch = this.#core.codeEpoch;
		if (this.#done.has(record)) return true;
		const known = this.#known.get(keyOf(readBlock(this.#core.memory, record)));
		const isDone = known === undefined ? this.#known.size >= maxBlocks : known.translated === undefined;
		if (isDone) this.#done.add(record);
		return isDone;
	}

	/** Executes records from this one on; returns the `Stop`. */
	run(record: number): number {
		if (this.#epoch === this.#core.codeEpoch && this.#done.has(record)) return this.#core.run(record);
		const steps = readBlock(this.#core.memory, record);
		const key = keyOf(steps);
		let known = this.#known.get(key);
		if (known === undefined && this.#known.size < maxBlocks) {
			known = {translated: this.#translate(steps), rounds: 0};
			this.#known.set(key, known);
		}
		const translated = known?.translated;
		if (known === undefined || translated === undefined) return this.#core.run(record);
		if (++known.rounds === this.#rounds) known.translated = undefined;
		return this.#compare(record, steps, translated);
	}

	#translate(steps: readonly KnownStep[]): Translation {
		// While stores are noted the TLB serves none: nothing would be compared that is left.
		const bytes = buildRegions([loneRegion(steps)], 'call');
		const {counters} = this;
		counters.blocks++;
		counters.steps += steps.length;
		counters.bytes += bytes.length - emptyBytes;
		return this.#core.instantiate(compile(bytes))['0'] as Translation;
	}

	#compare(record: number, steps: readonly KnownStep[], translated: Translation): number {
		const core = this.#core;
		const {memory} = this.#mmu;
		core.unlink(record, steps.length);
		const records = new Uint8Array(core.memory, record, steps.length * MicroOp.size);
		const before = {state: core.save(), records: records.slice()};
		memory.journal = this.#journal;
		const expected = this.#outcome('noted', () => core.run(record));
		const recordsAfter = records.slice();
		this.#journal.undo(expected.stores);
		core.restoreAll(before.state);
		records.set(before.records);
		const actual = this.#outcome('replayed', () => core.runTranslation(record, translated));
		const unlike = differences(expected, actual);
		if (!this.#replay.isAlike) unlike.push('accesses to devices or code');
		// Another thread may have asked for a stop between the two.
		if (unlike.length > 0 && core.state.request === 0) this.#describe(unlike, steps, before.state);
		if (unlike.length > 0) {
			this.#journal.undo(actual.stores);
			this.#journal.redo(expected.stores);
			core.restoreAll(expected.state);
		}
		records.set(recordsAfter);
		memory.journal = undefined;
		this.#replay.begin('live');
		this.counters.rounds++;
		return expected.stop;
	}

	/** Runs from an empty TLB, which has no entries for stores while they are noted. */
	#outcome(mode: 'noted' | 'replayed', run: () => number): Outcome {
		this.#mmu.flush();
		this.#replay.begin(mode);
		const stop = this.#core.withoutJumps(run);
		return {stop, state: this.#core.save(), stores: this.#journal.take()};
	}

	#describe(unlike: readonly string[], steps: readonly KnownStep[], state: Uint8Array): void {
		this.counters.differences++;
		if (this.descriptions.length >= maxDescriptions) return;
		const {codePage} = CpuState.on(new Uint8Array(state).buffer as unknown as SharedArrayBuffer, 0);
		const [start, end] = [steps[0]?.start ?? 0, steps.at(-1)?.next ?? 0];
		const bytes = new Uint8Array(Math.max(end - start, 0));
		const isThere = this.#mmu.readBytes(codePage + BigInt(start), bytes, false);
		const code = isThere ? Buffer.from(bytes).toString('hex') : 'code that is not there';
		const names = steps.map(({kind}) => kinds[kind]?.key ?? 'system');
		this.descriptions.push(
			`at ${(codePage + BigInt(start)).toString(16)}, ${code} (${names.join(' ')}): ${unlike.join('; ')}`,
		);
	}
}

const requestAt = CpuState.offset('request');

function differences(expected: Outcome, actual: Outcome): string[] {
	const found: string[] = [];
	if (expected.stop !== actual.stop) found.push(`stop ${actual.stop} instead of ${expected.stop}`);
	const [one, other] = [new DataView(expected.state.buffer), new DataView(actual.state.buffer)];
	for (let at = 0; at + 4 <= one.byteLength; at += 4) {
		const [wanted, has] = [one.getUint32(at, true), other.getUint32(at, true)];
		if (wanted !== has && at !== requestAt && (at < withinSteps.begin || at >= withinSteps.end))
			found.push(`state at ${at}: ${has.toString(16)} instead of ${wanted.toString(16)}`);
	}
	const text = (stores: readonly Store[]) =>
		stores.map(({place, after}) => `${place.toString(16)}=${Buffer.from(after).toString('hex')}`).join(' ');
	if (text(expected.stores) !== text(actual.stores))
		found.push(`stores ${text(actual.stores)} instead of ${text(expected.stores)}`);
	return found;
}
