import type {MappedMemory} from '#devices/guest-memory';
import {type WideExchange, wideExchange} from '#support/ffi';
import {allocateSharedMemory, type SharedMemory} from '#support/shared-memory';
import {goesStraight, type Instruction} from '#vcpu-worker/software/decode';
import {Core} from '#vcpu-worker/software/interpreter';
import type {Compared, Lockstep} from '#vcpu-worker/software/lockstep';
import {type DeviceSpace, executeAlone, Mmu, PhysicalMemory} from '#vcpu-worker/software/mmu';
import {PrefixTable, Rendezvous, requestWords, type SharedParts} from '#vcpu-worker/software/shared';
import {CpuState, longCode, ownRequests, Request, Stop} from '#vcpu-worker/software/state';
import {type After, type Parts, systemInstructions} from '#vcpu-worker/software/system/instructions';
import {Interrupts} from '#vcpu-worker/software/system/interrupts';
import {
	applyMode,
	applyPrivilege,
	CS,
	codeSizeOf,
	DebugBit,
	DebugUnit,
	Features,
	Flag,
	GuestFault,
	generalProtection,
	invalidOpcode,
	ModelRegisters,
	type Outside,
	Vector,
} from '#vcpu-worker/software/system/registers';
import {hasVirtualInterrupt, Segments} from '#vcpu-worker/software/system/segmentation';
import type {TranslationSource} from '#vcpu-worker/software/translation-store';
import {type CodeOf, ownTranslations, Translations} from '#vcpu-worker/software/translator';
import {CodeCache} from './code-cache.ts';
import {LoneInstructions} from './lone-instructions.ts';
import {resetState} from './reset.ts';
import {withinBlock} from './within-block.ts';

/** Reason for a processor's stop. */
export type ProcessorStop =
	/** The budget is used up, or somebody has asked. */
	| 'polled'
	/** It waits for an interrupt. */
	| 'halted'
	/** A triple fault. */
	| 'shutdown'
	/** It is to take the interrupt that {@link Processor.windowWanted} waits for. */
	| 'window'
	/** For the host's debugger: {@link DebugUnit.stop} tells why. */
	| 'debug';

/** Instructions that end in a handler, whose first instruction comes next. */
const withoutTrap = new Set(['int', 'int1', 'int3', 'into']);
const requestWord = CpuState.word('request');
const pageBytes = 4096;
/** Of an instruction that is executed alone, while another processor is faster. */
const mostTries = 1000;

/** One x86-64 processor: interpreter, memory management and system, on the thread that calls {@link run}. It begins with {@link reset}. */
export class Processor implements Parts, Compared {
	readonly core: Core;
	readonly mmu: Mmu;
	readonly msrs: ModelRegisters;
	readonly segments: Segments;
	readonly interrupts: Interrupts;
	readonly features: Features;
	/** Asks {@link run} to end as soon as the guest can take an interrupt. */
	windowWanted = false;
	/** It waits for an interrupt; whoever finds one that it does not take sets this to false. */
	isHalted = false;
	/** Interrupts stay away for one instruction. */
	isShadowed = false;
	readonly outside: Outside;
	readonly debug: DebugUnit;
	readonly translations: Translations;
	/** Compares translations with the interpreter: for those who look for errors. Set before any is made. */
	lockstep: Lockstep | undefined;
	readonly #code: CodeCache;
	readonly #memory: PhysicalMemory;
	readonly #others: Rendezvous;
	readonly #lone: LoneInstructions;
	#isInterpreted = false;
	/** Code has ended somewhere, and registers are what followed from it. */
	#hasRun = false;
	readonly #dropWritable = () => this.mmu.dropWritable();

	/**
	 * @param memory - all of RAM, in one memory
	 * @param self - its number among the processors
	 * @param source - of its translations; otherwise it makes them itself
	 */
	constructor(
		memory: MappedMemory,
		shared: SharedParts,
		self: number,
		devices: DeviceSpace,
		outside: Outside,
		source: TranslationSource = ownTranslations(),
	) {
		const [first] = memory.ranges;
		this.#memory = new PhysicalMemory(memory, shared.watch, self);
		const own = shared.memories[self] as SharedMemory;
		this.core = new Core(
			own,
			first?.memory ?? allocateSharedMemory(0),
			{
				access: (...access) => this.mmu.access(...access),
				fill: (low, high, walkedLow, walkedHigh) => this.mmu.fill(low, high, walkedLow, walkedHigh),
			},
			(instruction) => withinBlock(this, instruction),
			shared.forms.map((forms) => new PrefixTable(forms)),
		);
		this.#others = new Rendezvous(shared.epochs, self, requestWords(shared));
		this.#code = new CodeCache(this.core, this.#memory, this.#others, this.#dropWritable);
		const codeOf: CodeOf = (...code) => this.#code.codeOf(...code);
		this.translations = new Translations(this.core, codeOf, source, shared.memories.length);
		this.mmu = new Mmu(this.core, this.#memory, devices, this.#code);
		this.#lone = new LoneInstructions(this.core, this.mmu, this.#memory);
		this.core.across = this.#lone.known;
		if (shared.wideExchange !== 0 && first !== undefined)
			this.mmu.exchangeWide = lazily(() => wideExchange(shared.wideExchange, first.memory.buffer));
		this.mmu.exclusively = (action) => this.#others.exclusively(action, this.#dropWritable);
		this.outside = outside;
		this.debug = new DebugUnit(this.core, this.mmu);
		this.features = new Features(outside);
		this.core.announced = (feature) => this.features.has(feature);
		this.msrs = new ModelRegisters(this.core, this.features, outside);
		this.segments = new Segments(this.core, this.mmu);
		this.interrupts = new Interrupts(this);
	}

	/** How often a block is executed before it is translated: from now on, and for code that is not known yet. undefined: none is. */
	set heat(executions: number | undefined) {
		if (executions !== undefined) this.translations.heat = executions;
		this.core.state.translations.hotAfter = executions ?? 0;
		this.#code.heat = executions;
		this.#code.forget();
	}

	/** True where the guest can take an interrupt now. */
	get canInterrupt(): boolean {
		return (this.core.state.controlFlags & Flag.IF) !== 0 && !this.isShadowed && !this.debug.isPending;
	}

	/**
	 * Resets it.
	 * @param signature - see `resetState`
	 * @param isInit - by INIT, not at power-on
	 */
	reset(signature: number, isInit: boolean): void {
		this.isHalted = false;
		this.isShadowed = false;
		this.interrupts.isNmiBlocked = false;
		this.debug.reset();
		resetState(this.core.state, signature, isInit);
		if (!isInit) this.msrs.reset();
		this.changed();
	}

	/** Lets it start at a page, as a start-up request says (SDM volume 3, 11.6.1). After {@link reset}. */
	startAt(vector: number): void {
		const code = this.core.state.segments[CS];
		if (code !== undefined) Object.assign(code, {selector: vector << 8, base: BigInt(vector << 12)});
		this.core.state.rip = 0n;
	}

	/** Enters the handler of a non-maskable interrupt; false after a triple fault. Another one waits for IRET. */
	nmi(): boolean {
		this.isHalted = false;
		this.interrupts.isNmiBlocked = true;
		return this.#enterHandler(new InterruptAsFault(Vector.nmi));
	}

	/**
	 * Linear address of the instruction at which code ended last, so that it was in that one's block; undefined where none has run since
	 * registers were changed from outside.
	 */
	get executed(): bigint | undefined {
		const {state} = this.core;
		return this.#hasRun ? state.codePage + BigInt(this.core.startOf(state.record)) : undefined;
	}

	/** Control registers, segments or flags have been changed from outside. */
	changed(): void {
		this.#hasRun = false;
		applyMode(this.core, this.mmu);
		this.mmu.flush();
		this.debug.apply();
	}

	/** Enters the handler of an interrupt from outside; false after a triple fault. */
	interrupt(vector: number): boolean {
		this.isHalted = false;
		return this.#enterHandler(new InterruptAsFault(vector));
	}

	/** Enters the handler of an exception that was being delivered; false after a triple fault. */
	except(vector: number, errorCode = 0): boolean {
		return this.#enterHandler(new GuestFault(vector, errorCode));
	}

	/** Writes the stack frame as code writes memory, by entries of the TLB: others may have asked to drop those since code ended. */
	#enterHandler(fault: GuestFault): boolean {
		return this.#amongOthers(() => {
			this.#attend();
			return this.interrupts.raise(fault);
		});
	}

	/** Does something as one that executes code, for whom others wait: not any more where its host throws. */
	#amongOthers<T>(action: () => T): T {
		this.#others.enter();
		try {
			return action();
		} finally {
			this.#others.leave();
		}
	}

	/** Executes guest code, about `budget` instructions at most. */
	run(budget: number): ProcessorStop {
		const {state} = this.core;
		state.budget = budget;
		const end = this.#amongOthers(() => {
			const reason = this.isHalted ? 'halted' : this.#execute();
			this.#attend();
			return reason;
		});
		state.instructions += BigInt(budget - state.budget);
		this.translations.attend();
		return end;
	}

	/** The same, without translations: these stop where code goes back only, the interpreter at the end of each block. */
	interpret(budget: number): ProcessorStop {
		this.#isInterpreted = true;
		const end = this.run(budget);
		this.#isInterpreted = false;
		return end;
	}

	/** Sees to what other threads want of the processor itself, while it executes no code: before its thread waits. */
	attend(): void {
		this.#amongOthers(() => this.#attend());
	}

	#attend(): void {
		const {$atomic} = this.core.state;
		if ((Atomics.load($atomic, requestWord) & ownRequests) !== 0) {
			const requests = Atomics.and($atomic, requestWord, ~ownRequests);
			if ((requests & Request.PAUSE) !== 0) {
				this.#others.leave();
				this.#others.enter();
			}
			if ((requests & Request.CODE) !== 0) this.#code.attend();
			if ((requests & Request.WRITERS) !== 0) this.#others.drop(this.#dropWritable);
			if ((requests & Request.TRANSLATIONS) !== 0 && !this.translations.take())
				Atomics.or($atomic, requestWord, Request.TRANSLATIONS);
		}
		this.#code.verify();
	}

	#execute(): ProcessorStop {
		const {state} = this.core;
		let record = 0;
		for (;;) {
			if (record === 0) {
				if (this.windowWanted && this.canInterrupt) return 'window';
				this.#attend();
				// Faults and instructions of the system can follow each other for ever without a branch, which looks too.
				if (state.request !== 0 || state.budget < 0) return 'polled';
				if (this.debug.isPending) {
					state.budget--;
					const end = this.#endWatched(this.debug.takePending());
					if (typeof end === 'string') return end;
					continue;
				}
				if (hasVirtualInterrupt(this.core)) {
					state.budget--;
					if (!this.#raise(generalProtection())) return 'shutdown';
					continue;
				}
				if (this.#isTraced()) {
					const end = this.#trace();
					if (end !== undefined) return end;
					continue;
				}
				const found = this.#lookUp();
				if (found === undefined) return 'shutdown';
				if (found === 0) continue;
				record = found;
			}
			const wasShadowed = this.isShadowed;
			const first = this.core.firstOf(record);
			this.debug.isHeld = false;
			const stop = this.#runBlocks(record);
			if (stop === Stop.hot) {
				record = this.#translate(state.record);
				continue;
			}
			this.isShadowed = this.#isStillShadowed(stop, first);
			record = 0;
			if (stop === Stop.poll) this.translations.attendCrossing();
			if (stop === Stop.fault) {
				if (!this.#fault(state.record)) return 'shutdown';
				if (this.debug.isAwaited) this.isShadowed = wasShadowed && this.core.ordinalOf(state.record) === 1;
			} else if ((stop === Stop.lookup || stop === Stop.poll) && this.#haveLeftCode()) {
				if (!this.#raise(generalProtection())) return 'shutdown';
			} else if (stop === Stop.lookup || stop === Stop.again) {
				this.core.forward(state.record);
				applyPrivilege(this.core);
			} else if (stop === Stop.system) {
				const end = this.#system(state.record);
				if (typeof end === 'string') return end;
				record = end;
			}
		}
	}

	/** Tells whether interrupts stay away from the instruction before which code has ended. @param first - record with which it began */
	#isStillShadowed(stop: number, first: number): boolean {
		const {core} = this;
		const {record} = core.state;
		const hasBegun = this.isShadowed && core.ordinalOf(first) <= 1;
		if (stop === Stop.system) return hasBegun && record === first;
		if (stop !== Stop.again) return false;
		const isFirst = core.ordinalOf(record) === core.ordinalOf(first) && core.startOf(record) === core.startOf(first);
		return (hasBegun && isFirst) || core.isBehindSti(record);
	}

	/** Has the block of a head translated, which is hot. @returns the record to go on with, 0 for the block at RIP */
	#translate(head: number): number {
		const {core} = this;
		const {state, codeEpoch} = core;
		const page = core.frameOf(state.codePage);
		const offset = core.startOf(head);
		// Where its page is not known now, it is when the block has been executed as often again.
		if (page === undefined) core.count(head, this.translations.heat);
		else this.translations.want({head, linear: state.codePage, page, offset, codeSize: codeSizeOf(core)});
		if (core.codeEpoch === codeEpoch) return Core.next(head);
		// One that was there already has more blocks, for whose records all others have gone.
		state.rip = state.codePageOffset + BigInt(offset);
		return 0;
	}

	/** Runs blocks from a record on; only one where the guest is about to be able to take an interrupt that waits. */
	#runBlocks(record: number): number {
		const {state} = this.core;
		const kept = this.isShadowed && this.windowWanted ? state.budget : 0;
		state.budget -= kept;
		const isPlain = this.debug.isIdle;
		// What serializes is for TypeScript where code has to be compared behind it.
		const goesOn = isPlain && !this.isShadowed && !this.interrupts.isNmiBlocked && this.#code.isSure;
		state.goesOn = goesOn && !this.windowWanted ? 1 : 0;
		this.core.awaitsFlag = goesOn && this.windowWanted;
		state.translates = isPlain && !this.#isInterpreted && !(this.isShadowed && this.windowWanted) ? 1 : 0;
		const stop = this.lockstep === undefined ? this.core.runOn(record) : this.lockstep.run(record);
		this.#hasRun = true;
		state.budget += kept;
		return stop;
	}

	/** A near branch to beyond the code segment has done nothing and faults (SDM volume 2, JMP, Jcc, LOOP): RIP is then what it was before. */
	#haveLeftCode(): boolean {
		const {core} = this;
		const {state} = core;
		if ((state.modeKey & longCode) !== 0) return false;
		const {limit = 0} = state.segments[CS] ?? {};
		if (Number(state.rip & 0xffff_ffffn) <= limit || !core.undoJump(state.record)) return false;
		state.rip = BigInt.asUintN(32, state.codePageOffset + BigInt(core.startOf(state.record)));
		return true;
	}

	/** True where the page of RIP is not in the code segment whole: its instructions are executed one by one. */
	#isAtLimit(): boolean {
		const {state} = this.core;
		if ((state.modeKey & longCode) !== 0) return false;
		const {base = 0n} = state.segments[CS] ?? {};
		const rip = Number(state.rip & 0xffff_ffffn);
		return rip - ((Number(base) + rip) % pageBytes) > Number(state.codeLimit);
	}

	/** Linear address of RIP; undefined where it is beyond its segment. */
	#codeAddress(): bigint | undefined {
		const {state} = this.core;
		const {base = 0n, limit = 0} = state.segments[CS] ?? {};
		if (codeSizeOf(this.core) === 64) return state.rip;
		state.rip &= 0xffff_ffffn;
		return state.rip > BigInt(limit) ? undefined : BigInt.asUintN(32, state.rip + base);
	}

	/** The next instruction is one to look at before it and behind it. RF, which no such one needs, has then had its effect. */
	#isTraced(): boolean {
		const {state} = this.core;
		const {controlFlags} = state;
		if ((controlFlags & Flag.TF) !== 0 || this.#isAtLimit()) return true;
		const linear = this.debug.isUsed ? this.#codeAddress() : undefined;
		if (linear !== undefined && this.debug.isAlone(linear)) return true;
		if ((controlFlags & Flag.RF) !== 0) state.controlFlags = (controlFlags & ~Flag.RF) >>> 0;
		return false;
	}

	/**
	 * Executes one instruction, with breakpoints before it, and those of data and single steps behind it (SDM volume 3, 18.3.1).
	 * @returns why the processor stops
	 */
	#trace(): ProcessorStop | undefined {
		const {debug} = this;
		const {state} = this.core;
		const {controlFlags} = state;
		const linear = this.#codeAddress();
		if (linear === undefined) {
			state.budget--;
			return this.#raise(generalProtection()) ? undefined : 'shutdown';
		}
		const before = debug.executed(linear);
		if (debug.stopsBefore(linear, before)) return 'debug';
		const isQuiet = debug.isHeld || (controlFlags & Flag.RF) !== 0;
		if (!isQuiet && DebugUnit.guestBits(before) !== 0) {
			debug.report(DebugUnit.guestBits(before));
			state.budget--;
			return this.#raise(new GuestFault(Vector.debug)) ? undefined : 'shutdown';
		}
		state.controlFlags = (controlFlags & ~Flag.RF) >>> 0;
		debug.isHeld = false;
		debug.begin(true);
		const end = this.#executeAlone(linear);
		const hits = debug.end();
		if (end === 'shutdown' || end === 'debug') return end;
		const traps = end !== 'faulted' && end !== 'delivered' && !debug.isHeld && (controlFlags & Flag.TF) !== 0;
		const bits = end === 'faulted' ? 0 : DebugUnit.guestBits(hits) | (traps ? DebugBit.BS : 0);
		if (bits !== 0 && !this.#trap(bits)) return 'shutdown';
		if (debug.stopsBehind(this.#codeAddress() ?? 0n, end === 'faulted' ? 0 : hits)) return 'debug';
		return this.isHalted ? 'halted' : undefined;
	}

	/** Delivers a debug exception behind an instruction. */
	#trap(bits: number): boolean {
		this.isHalted = false;
		this.debug.report(bits);
		return this.#deliver(new GuestFault(Vector.debug));
	}

	/** Executes the instruction at a linear address, and no other one. */
	#executeAlone(linear: bigint): 'done' | 'delivered' | 'faulted' | 'shutdown' | 'debug' {
		const {core} = this;
		const {state} = core;
		const {base = 0n} = state.segments[CS] ?? {};
		state.codePage = linear & ~0xfffn;
		state.codePageOffset = BigInt.asUintN(64, state.codePage - base);
		const rip = state.rip;
		const kept = state.budget - 1;
		try {
			const instruction = this.#lone.at(linear);
			if (typeof instruction !== 'number') {
				const after = this.#carryOut(instruction, rip);
				if (after === 'debug') return after;
				const {name} = instruction;
				// SYSCALL goes by the flag as it leaves it.
				const isOff = name === 'syscall' && (state.controlFlags & Flag.TF) === 0;
				return isOff || withoutTrap.has(name) ? 'delivered' : 'done';
			}
			state.budget = 0;
			let stop = core.run(instruction);
			// A step is of the whole instruction, whoever was faster meanwhile.
			for (let tries = 1; stop === Stop.again && tries < mostTries; tries++) stop = core.run(instruction);
			state.budget = kept;
			this.isShadowed = false;
			if (stop !== Stop.fault && this.#haveLeftCode()) return this.#raise(generalProtection()) ? 'faulted' : 'shutdown';
			if (stop === Stop.lookup) applyPrivilege(core);
			if (stop !== Stop.fault) return 'done';
			return this.#fault(state.record) ? 'faulted' : 'shutdown';
		} catch (error) {
			if (!(error instanceof GuestFault)) throw error;
			state.budget = kept;
			state.rip = rip;
			return this.#raise(error) ? 'faulted' : 'shutdown';
		}
	}

	settle(): void {
		applyPrivilege(this.core);
	}

	onward(): number | undefined {
		const {core} = this;
		const {state} = core;
		const {vector, errorCode, cr2} = state;
		core.forward(state.record);
		this.settle();
		const found = this.#find(() => undefined);
		if (found === undefined) Object.assign(state, {vector, errorCode, cr2});
		return found === undefined || hasVirtualInterrupt(core) || this.#isTraced() ? undefined : found;
	}

	/** Finds the block at RIP; 0 after an exception, undefined after a triple fault. */
	#lookUp(): number | undefined {
		return this.#find((fault) => {
			// A handler that is nowhere faults for ever: that counts as instructions do.
			this.core.state.budget--;
			return this.#raise(fault) ? 0 : undefined;
		});
	}

	/** Finds the block at RIP; where none is, what `refuse` makes of the reason. */
	#find(refuse: (fault: GuestFault) => number | undefined): number | undefined {
		const {core} = this;
		const {state} = core;
		const flat = core.enterLongCode();
		if (flat !== 0) return flat;
		const codeSize = codeSizeOf(core);
		const {base = 0n} = state.segments[CS] ?? {};
		const linear = this.#codeAddress();
		if (linear === undefined) return refuse(generalProtection());
		const low = Number(BigInt.asIntN(32, linear));
		const high = Number(BigInt.asIntN(32, linear >> 32n));
		const known = core.find(low, high);
		if (known !== 0) {
			state.codePage = linear & ~0xfffn;
			state.codePageOffset = BigInt.asUintN(64, state.codePage - base);
			return known;
		}
		state.blockMisses++;
		const translation = core.codePageOf(low, high) ?? this.mmu.fetch(low, high);
		if (translation === undefined) return refuse(new GuestFault(state.vector, state.errorCode));
		const record = this.#code.block(translation.page, low & (pageBytes - 1), codeSize);
		// Code in device memory: there is none that a processor could execute again and again.
		if (record === undefined) return refuse(generalProtection());
		state.codePage = linear & ~0xfffn;
		state.codePageOffset = BigInt.asUintN(64, state.codePage - base);
		core.remember(low, high, record, translation);
		return record;
	}

	#fault(record: number): boolean {
		const {state} = this.core;
		state.rip = state.codePageOffset + BigInt(this.core.startOf(record));
		state.budget -= this.core.ordinalOf(record);
		state.stop = 0;
		if (state.vector === executeAlone) {
			this.debug.isAwaited = true;
			return true;
		}
		return this.#raise(new GuestFault(state.vector, state.errorCode));
	}

	/** Delivers an exception before its instruction, at which RF then keeps breakpoints away (SDM volume 3, 18.3.1.1). */
	#raise(fault: GuestFault): boolean {
		const {state} = this.core;
		state.controlFlags = (state.controlFlags | Flag.RF) >>> 0;
		return this.#deliver(fault);
	}

	#deliver(fault: GuestFault): boolean {
		this.isShadowed = false;
		if (!this.interrupts.raise(fault)) return false;
		// A handler of debug exceptions can use debug registers (18.2.4).
		if (fault.vector === Vector.debug) this.debug.unguard();
		return true;
	}

	/**
	 * Carries out an instruction that the interpreter leaves to TypeScript.
	 * @returns why the processor stops; or the record to go on with, 0 for the block at RIP
	 */
	#system(record: number): ProcessorStop | number {
		const {core} = this;
		const {state} = core;
		state.exits++;
		const start = core.startOf(record);
		const ordinal = core.ordinalOf(record);
		const size = codeSizeOf(core);
		const rip = BigInt.asUintN(size === 64 ? 64 : 32, state.codePageOffset + BigInt(start));
		state.rip = rip;
		state.budget -= ordinal - 1;
		// What came before may have let interrupts in.
		if (this.windowWanted && this.canInterrupt) return 'window';
		try {
			const known = core.instructionOf(record);
			const instruction = known ?? this.#lone.across(record);
			if (typeof instruction === 'number') return instruction;
			const {jumpsEpoch} = core;
			this.debug.begin(false);
			core.carriedOut = record;
			const after = this.#carryOut(instruction, rip);
			core.carriedOut = 0;
			const hits = this.debug.end();
			if (after === 'debug') return after;
			if (hits !== 0) return this.#endWatched(hits);
			if (after === 'next' && known !== undefined && goesStraight(known)) {
				// The block goes on: its end takes all of its instructions off the budget.
				if (core.jumpsEpoch !== jumpsEpoch || state.request !== 0 || !this.#code.isSure) return 0;
				state.budget += ordinal;
				return Core.next(record);
			}
			return after === 'halt' ? 'halted' : 0;
		} catch (error) {
			if (!(error instanceof GuestFault)) throw error;
			core.carriedOut = 0;
			this.debug.abandon();
			state.budget--;
			if (!error.isOfNewTask) state.rip = rip;
			return this.#raise(error) ? 0 : 'shutdown';
		}
	}

	/** Reports what an instruction of the system, or a delivery, has accessed that is watched. */
	#endWatched(hits: number): ProcessorStop | number {
		const bits = DebugUnit.guestBits(hits);
		if (bits !== 0 && !this.#trap(bits)) return 'shutdown';
		if (this.debug.stopsBehind(this.#codeAddress() ?? 0n, hits)) return 'debug';
		return this.isHalted ? 'halted' : 0;
	}

	/** Carries out an instruction by its handler. @throws GuestFault */
	#carryOut(instruction: Instruction, rip: bigint): After | 'debug' {
		const {core, debug} = this;
		const {state} = core;
		const {name} = instruction;
		if (name === 'int3' && debug.hasPlanted(this.#codeAddress() ?? 0n)) return 'debug';
		state.budget--;
		const handler = systemInstructions[name];
		if (handler === undefined) throw invalidOpcode();
		state.rip = BigInt.asUintN(codeSizeOf(core) === 64 ? 64 : 32, rip + BigInt(instruction.length));
		// Also where it faults (SDM volume 3, 6.7.1).
		if (name === 'iret') this.interrupts.isNmiBlocked = false;
		const after = handler(this, instruction);
		applyPrivilege(core);
		this.isShadowed = after === 'shadow';
		debug.isHeld = after === 'shadow' && name !== 'sti';
		if (after === 'again') {
			state.rip = rip;
			state.controlFlags = (state.controlFlags | Flag.RF) >>> 0;
		}
		if (after === 'halt') this.isHalted = true;
		return after;
	}
}

/** What makes the exchange when it is called for the first time: most threads never come to it. */
function lazily(make: () => WideExchange): WideExchange {
	let made: WideExchange | undefined;
	return (...exchange) => {
		made ??= make();
		return made(...exchange);
	};
}

/** An interrupt from outside is delivered as an exception without an error code, whatever its vector. */
class InterruptAsFault extends GuestFault {
	override readonly errorCode = undefined;
	override readonly isException = false;
}
