import {type CodeSize, maxBlockInstructions} from '#vcpu-worker/software/decode';
import type {Core} from '#vcpu-worker/software/interpreter';
import {executeAlone, type Mmu, PageJournal, type UnlikeByte} from '#vcpu-worker/software/mmu';
import {kinds} from '#vcpu-worker/software/semantics';
import {
	CpuState,
	longCode,
	MicroOp,
	memoryMap,
	Stop,
	spaceShift,
	userCode,
	withinSteps,
} from '#vcpu-worker/software/state';
import type {Guards} from './guards.ts';

/** A processor, as far as its code runs twice. */
export interface Compared {
	readonly core: Core;
	readonly mmu: Mmu;
	/** Brings up to date what follows from registers. */
	settle(): void;
	/** The block at RIP; undefined where something else comes first, of which nothing has been done. */
	onward(): number | undefined;
}

/**
 * Why a run has ended: between two instructions, or before one that faults, that only TypeScript carries out, or that accesses a device. One that
 * its step leaves to TypeScript at times, by what the TLB knows or where its block ends, is as any other.
 */
export type EndKind = 'border' | 'fault' | 'system' | 'device';

/** The end of a run: all that it leaves but for RAM. */
export interface End {
	readonly kind: EndKind;
	readonly stop: number;
	/** Instructions that are done; each element of a string that is not its last is one. */
	readonly executed: number;
	/** See `CpuState.record`. */
	readonly record: number;
	readonly rip: bigint;
	readonly state: Uint8Array;
}

/** Both runs of code. */
export interface Twins {
	readonly translated: End;
	readonly interpreted: End;
	/** Bytes of RAM that are not alike: as many as are worth telling. */
	readonly bytes: readonly UnlikeByte[];
	/** True where the interpreter cannot be stopped where the translation has ended. */
	readonly isBeyond: boolean;
}

/** Pages that stores go to by the TLB which are kept beforehand, at most: copies of them take longer than most runs. */
const maxPages = 256;
const maxBytes = 8192;
/** Number of an instruction that is executed alone. */
const aloneSlot = 0;
const longest = 15;
const stringKinds = new Set(
	kinds.flatMap(({key}, number) => (/^(movs|stos|lods|scas|cmps)(Repeated|While|\.)/.test(key) ? [number] : [])),
);
/** Fields that say how code has ended, or what generated code keeps for itself. */
const ownFields = ['request', 'codeChanged', 'translates', 'record', 'budget', 'rip', 'stop'] as const;

/** Runs code by translations, undoes what that has done, and runs as many instructions by the interpreter. What that does stays. */
export class TwinRun {
	readonly #on: Compared;
	readonly #guards: Guards;
	readonly #journal: PageJournal;

	constructor(on: Compared, guards: Guards) {
		this.#on = on;
		this.#guards = guards;
		this.#journal = new PageJournal(on.mmu.memory.buffer);
	}

	/**
	 * Calls `action` while RAM is watched, devices are left alone, and nothing is left to TypeScript.
	 * @param isCold - stores go by the TLB to no page at first
	 */
	begin<T>(isCold: boolean, action: () => T): T {
		const {core, mmu} = this.#on;
		const journal = this.#journal;
		const isKept = !isCold && mmu.visitWritable(maxPages, (place) => journal.keep(place));
		if (!isKept) mmu.dropWritable();
		mmu.memory.journal = journal;
		mmu.refusesDevices = true;
		core.carriesOut = false;
		try {
			return action();
		} finally {
			core.carriesOut = true;
			mmu.refusesDevices = false;
			mmu.memory.journal = undefined;
			journal.clear();
		}
	}

	/**
	 * Runs both. Within {@link begin}.
	 * @param before - the state that both begin with, in which one run may have gone on from already
	 * @param budget - of the translation
	 * @param isExact - from an empty TLB, so that both walk for the same
	 */
	run(record: number, before: Uint8Array, budget: number, isExact: boolean): Twins {
		const {core, mmu} = this.#on;
		this.#undo();
		core.restoreAll(before);
		if (isExact) mmu.forgetEntries();
		const translated = this.#translated(record, budget);
		const changed = this.#undo();
		if (isExact) mmu.forgetEntries();
		core.restoreAll(before);
		const [interpreted, isBeyond] = this.#interpreted(record, translated);
		return {translated, interpreted, isBeyond, bytes: isBeyond ? [] : this.#journal.unlike(changed, maxBytes)};
	}

	/**
	 * Puts bytes back that somebody else must have written while runs came and went: two of the same length differ there, two others do not and have
	 * not written there.
	 */
	keepForeign(unlike: Twins, alike: Twins): void {
		const ends = [unlike.interpreted, alike.translated, alike.interpreted];
		if (ends.some(({executed}) => executed !== unlike.translated.executed)) return;
		const ram = new Uint8Array(this.#on.mmu.memory.buffer);
		for (const {place, before, undone, now} of unlike.bytes)
			if (ram[place] === before) ram[place] = undone === before ? now : undone;
	}

	#undo(): ReadonlyMap<number, Uint8Array> {
		const {code, memory} = this.#on.mmu;
		const journal = this.#journal;
		const changed = journal.undo((place, before, after) => {
			memory.stamp(place);
			if (!code.hasCode(place)) return;
			for (let at = 0; at < before.length; at += lineBytes)
				if (Buffer.compare(before.subarray(at, at + lineBytes), after.subarray(at, at + lineBytes)) !== 0)
					code.written(place + at, lineBytes, 0);
		});
		if (journal.hasMarked) this.#on.mmu.forgetEntries();
		journal.hasMarked = false;
		return changed;
	}

	/** Runs by translations, and by the interpreter what has none. */
	#translated(record: number, budget: number): End {
		const {core} = this.#on;
		const {state} = core;
		state.translates = 1;
		state.budget = budget;
		let at = record;
		// What goes on without an instruction does so a few times for each.
		for (let turns = 2 * (budget + maxBlockInstructions); ; turns--) {
			const stop = core.run(at);
			const goesOn = turns > 0 && state.budget >= 0 && state.request === 0;
			let next: number | undefined;
			if (stop === Stop.hot && this.#guards.open(state.record)) next = state.record;
			else if ((stop === Stop.lookup || stop === Stop.again) && goesOn) next = this.#on.onward();
			if (next === undefined) return this.#end(stop, budget - state.budget);
			at = next;
		}
	}

	/** Runs by the interpreter to where the translation has ended. @returns also whether it cannot stop there */
	#interpreted(record: number, {kind, executed: wanted}: End): [End, boolean] {
		const {core} = this.#on;
		const {state} = core;
		state.translates = 0;
		let done = 0;
		let at = record;
		if (kind === 'border' && wanted === 0) return [this.#end(Stop.poll, 0), false];
		for (let turns = 2 * (wanted + maxBlockInstructions); ; turns--) {
			const left = wanted - done;
			let first: number | undefined = at;
			if (kind === 'border' && left < maxBlockInstructions && left < this.#instructionsOf(at)) first = this.#alone(at);
			if (first === undefined) return [this.#end(Stop.poll, done), true];
			// It stops behind the first block with which it has done more than that.
			const budget = Math.max(left - maxBlockInstructions, 0);
			state.budget = budget;
			const stop = core.run(first);
			const end = this.#end(stop, done + budget - state.budget);
			const isAgain = stop === Stop.system && end.executed === done;
			done = end.executed;
			if (isAgain && first !== at) return [end, true];
			if (end.kind !== 'border' || isAgain || turns === 0) return [end, false];
			if (done > wanted || (done === wanted && kind === 'border')) return [end, false];
			// Where its block does not end behind it, more is done without TypeScript.
			state.rip = end.rip;
			const next = this.#on.onward();
			if (next === undefined) return [end, false];
			at = next;
		}
	}

	/** @param counted - instructions that have been taken off the budget */
	#end(stop: number, counted: number): End {
		const {core} = this.#on;
		const {state} = core;
		const {record} = state;
		const isWithin = stop === Stop.fault || stop === Stop.system;
		const here = state.codePageOffset + BigInt(core.startOf(record));
		const kindNumber = core.words[record / 4] as number;
		const isInString = stop === Stop.poll && stringKinds.has(kindNumber & 0xffff) && state.rip === here;
		const executed = counted + (isWithin || isInString ? core.ordinalOf(record) - 1 : 0);
		const kind =
			stop === Stop.system && kinds[kindNumber & 0xffff] !== undefined ? 'border' : endKind(stop, state.vector);
		if (kind === 'border') this.#on.settle();
		const rip = isWithin || stop === Stop.hot ? here : state.rip;
		const bits = (state.modeKey & longCode) !== 0 ? 64 : 32;
		return {kind, stop, executed, record, rip: BigInt.asUintN(bits, rip), state: imageOf(core, kind)};
	}

	/** Instructions of the block of a record, up to one that TypeScript carries out. */
	#instructionsOf(record: number): number {
		const {core} = this.#on;
		for (let at = core.firstOf(record); ; at += MicroOp.size) {
			const kind = kinds[(core.words[at / 4] as number) & 0xffff];
			if (kind === undefined) return core.ordinalOf(at) - 1;
			if (kind.isLast) return core.ordinalOf(at);
		}
	}

	/** Makes a block of its first instruction alone. */
	#alone(record: number): number | undefined {
		const {core, mmu} = this.#on;
		const {state} = core;
		const frame = core.frameOf(state.codePage);
		const page = frame === undefined ? undefined : mmu.memory.page(frame);
		const start = core.startOf(record);
		const codeSize = (state.modeKey & codeSizes) as CodeSize;
		return page && core.decodeAlone(page.slice(start, start + longest), start, codeSize, aloneSlot);
	}
}

const lineBytes = 64;
/** What of the mode's key is the size of code. */
const codeSizes = ((1 << spaceShift) - 1) & ~userCode;

function endKind(stop: number, vector: number): EndKind {
	if (stop === Stop.system) return 'system';
	if (stop !== Stop.fault) return 'border';
	return vector === executeAlone ? 'device' : 'fault';
}

/** What of the state has to be alike. */
function imageOf(core: Core, kind: EndKind): Uint8Array {
	const image = new Uint8Array(core.memory, memoryMap.state, CpuState.offset('instructions')).slice();
	image.fill(0, withinSteps.begin, withinSteps.end);
	const clear = (name: 'codePage' | 'codePageOffset' | (typeof ownFields)[number]) => {
		const at = CpuState.offset(name);
		image.fill(0, at, at + CpuState.field[name].size);
	};
	for (const name of ownFields) clear(name);
	// Where code has not gone on yet it may have said where it goes, or not.
	if (kind === 'border') for (const name of ['codePage', 'codePageOffset'] as const) clear(name);
	return image;
}
