import type {CodeDifference} from '#vcpu-worker/hypervisor';
import {type CpuState, Stop} from '#vcpu-worker/software/state';
import {blocksOf, codeOf, unlikeIn} from './describe.ts';
import {Guards} from './guards.ts';
import {type Compared, TwinRun, type Twins} from './twin-run.ts';

/** Choices of who looks for differences. */
export interface LockstepOptions {
	/** How often each translation is compared before it runs as ever. */
	readonly rounds?: number;
	/** Gives numbers from 0 to less than 1. */
	readonly random?: () => number;
	/** Is told of each difference, up to a hundred. */
	readonly found?: (difference: CodeDifference) => void;
}

/** Most instructions of a run that is compared: any number up to it is as likely as its half is to be more. */
const longest = 4096;
/** Of runs that nothing else asks for, one of so many is compared. */
const oneOf = 2;
/** Runs until a translation is compared again that has been compared often enough. */
const again = 4;
const maxTold = 100;
/** Of runs, the part that begins where stores go to no page by the TLB. */
const coldPart = 0.25;

/**
 * Runs code by its translations, as they are: regions with their loops, links to others, whatever leaves them. Then it undoes that, and runs as many
 * instructions by the interpreter, whose work stays; registers, the end, and all of RAM that either has written have to be alike. Each translation is
 * compared its first few times, and at random later; all else runs as ever. For one processor: what others write meanwhile is lost, or a difference.
 */
export class Lockstep {
	readonly counters: ReturnType<typeof CpuState.on>['lockstep'];
	readonly #on: Compared;
	readonly #random: () => number;
	readonly #found: (difference: CodeDifference) => void;
	readonly #guards: Guards;
	readonly #twins: TwinRun;
	#runs = 0;
	/** The next instruction has been left alone: it is executed as ever. */
	#isLeft = false;

	constructor(on: Compared, {rounds = 6, random = Math.random, found = () => {}}: LockstepOptions = {}) {
		this.#on = on;
		this.counters = on.core.state.lockstep;
		this.#random = random;
		this.#found = found;
		this.#guards = new Guards(on.core, rounds);
		this.#twins = new TwinRun(on, this.#guards);
	}

	/** Executes records from this one on; returns the `Stop`. */
	run(record: number): number {
		const {core} = this.#on;
		const {state} = core;
		// Where interrupts wait, or stay away, code has to end sooner.
		if (state.goesOn === 0) state.translates = 0;
		if (state.translates === 0) return core.run(record);
		if (++this.#runs % again === 0) this.#guards.choose(this.#random());
		if (this.#isLeft) return this.#interpret(record);
		const isChosen = this.#random() * oneOf < 1 && core.ordinalOf(core.firstOf(record)) === 1;
		if (isChosen) return this.#compare(record);
		const stop = core.run(record);
		const isGuarded = stop === Stop.hot && core.translationOf(state.record) !== undefined;
		return isGuarded ? this.#compare(state.record) : stop;
	}

	/** Runs a block by the interpreter, whatever it does. */
	#interpret(record: number): number {
		const {core} = this.#on;
		const {state} = core;
		const {budget} = state;
		this.#isLeft = false;
		state.translates = 0;
		state.budget = 0;
		const stop = core.run(record);
		state.budget += budget;
		return stop;
	}

	/** Runs from the begin of a block on by both; returns the `Stop`. */
	#compare(record: number): number {
		const {core} = this.#on;
		const {state} = core;
		const {budget, codePage} = state;
		const start = BigInt(core.startOf(record));
		state.rip = state.codePageOffset + start;
		const before = core.save();
		const most = Math.min(Math.floor(longest ** this.#random()), Math.max(budget, 0));
		const twins = this.#twins.begin(this.#random() < coldPart, () => this.#runBoth(record, before, most));
		const unlike = twins.isBeyond ? [] : unlikeIn(twins);
		const opened = this.#guards.close();
		const {interpreted} = twins;
		this.counters.rounds++;
		this.counters.instructions += interpreted.executed;
		this.counters.translations = this.#guards.count;
		if (twins.isBeyond) this.counters.uncompared++;
		if (unlike.length > 0 && ++this.counters.differences <= maxTold) {
			const blocks = blocksOf(this.#on, opened);
			const text = `${codeOf(this.#on, record, codePage)}${blocks && `, ${blocks}`}: ${unlike.join('; ')}`;
			this.#found({address: codePage + start, executed: interpreted.executed, text});
		}
		return this.#goOn(twins, budget);
	}

	/** Runs both until it is sure whether they are alike. */
	#runBoth(record: number, before: Uint8Array, most: number): Twins {
		const run = (budget: number, isExact: boolean) => this.#twins.run(record, before, budget, isExact);
		const isAlike = (twins: Twins) => twins.isBeyond || unlikeIn(twins).length === 0;
		const first = run(most, false);
		if (isAlike(first)) return first;
		const second = run(most, true);
		if (isAlike(second)) {
			this.counters.repeated++;
			this.#twins.keepForeign(first, second);
			return second;
		}
		// The fewest instructions that show it say most.
		for (let fewer = 0; fewer < most; fewer = Math.max(1, fewer * 2)) {
			const shorter = run(fewer, true);
			if (!isAlike(shorter)) return shorter;
		}
		return run(most, true);
	}

	/** Goes on where the interpreter is; returns the `Stop`. */
	#goOn({translated, interpreted, isBeyond}: Twins, budget: number): number {
		const {core} = this.#on;
		const {state} = core;
		const {kind, executed, stop, rip} = interpreted;
		state.budget = budget - executed;
		if (translated.stop === Stop.hot) {
			// The head has counted to its end.
			const head = translated.record;
			if (executed === 0) {
				state.record = head;
				return Stop.hot;
			}
			if (core.leftOf(head) !== undefined) core.count(head, 1);
		}
		// Whatever has not gone on would not the next time.
		this.#isLeft = kind === 'device' || isBeyond || executed === 0;
		if (kind === 'device') {
			state.rip = rip;
			state.stop = 0;
			return Stop.poll;
		}
		// Whoever sees to these takes what comes before them off.
		if (stop === Stop.fault || stop === Stop.system) state.budget += core.ordinalOf(state.record) - 1;
		return stop;
	}
}
