import type {ViewOf} from '#support/wire';
import {ApicState, load, Request, Word} from './apic-state.ts';
import {type ApicOffer, type ApicSpec, isBase, isTransition, modeOf, setBase} from './base-register.ts';
import {deliverLocal, isSoftwareEnabled, reportError} from './deliver.ts';
import {isPresent, isX2apic} from './destination.ts';
import type {LocalApics} from './local-apics.ts';
import {
	Base,
	Command,
	DeliveryMode,
	Dfr,
	ErrorBit,
	Lvt,
	lvtRegisters,
	Msr,
	Register,
	type RegisterRule,
	registerRules,
	Shorthand,
	Svr,
	TimerMode,
	x2apicMsrs,
} from './registers.ts';
import {clear, initialize, powerOn} from './reset.ts';
import {type SavedLocalApic, savePage, takePage, wrongApic} from './saved-apic.ts';
import {sendCommand} from './send-command.ts';
import {type ApicClock, ApicTimer} from './timer.ts';
import {clearVector, hasVector, highestVector, processorPriority, setVector} from './vectors.ts';

/** Clock, and listener to ends of interrupts. */
export interface ApicOutside extends ApicClock {
	/** An interrupt with this vector has ended that was level-triggered when it came. */
	endOfInterrupt(vector: number): void;
}

/** Requests that a processor sees to at once, in this order. */
export interface ApicRequests {
	/** INIT: it is to be reset, and {@link LocalApic.init} called. */
	readonly init: boolean;
	/** SIPI: where it waits for one, it starts at this vector's page. Others ignore it. */
	readonly startup: number | undefined;
	readonly nmi: boolean;
}

/** True for the model-specific registers that a local APIC has. */
export const isApicMsr = (index: number): boolean =>
	index === Msr.APIC_BASE || index === Msr.TSC_DEADLINE || (index >= x2apicMsrs.first && index < x2apicMsrs.end);

/**
 * A processor's local APIC, on the thread of that processor (Intel SDM volume 3, chapter 11). After each access of the guest's to
 * it {@link pending}, {@link nextEvent} and {@link page} may be others.
 */
export class LocalApic {
	readonly #apics: LocalApics;
	readonly #spec: ApicSpec;
	readonly #offer: ApicOffer;
	readonly #outside: ApicOutside;
	readonly #state: ViewOf<typeof ApicState>;
	readonly #words: Int32Array;
	readonly #timer: ApicTimer;

	/** @param spec - of a processor that has been announced by `LocalApics.add` */
	constructor(apics: LocalApics, spec: ApicSpec, offer: ApicOffer, outside: ApicOutside) {
		this.#apics = apics;
		this.#spec = spec;
		this.#offer = offer;
		this.#outside = outside;
		this.#words = apics.wordsOf(spec.index);
		this.#state = ApicState.on(apics.buffer, this.#words.byteOffset);
		this.#timer = new ApicTimer(this.#state, outside);
	}

	/** Gives the most urgent vector that the processor can take now, given its priority (11.8.3); undefined: none. */
	pending(): number | undefined {
		const words = this.#words;
		if (!isPresent(words)) return undefined;
		const vector = highestVector(words, Register.IRR);
		return vector > 0 && vector >>> 4 > processorPriority(words) >>> 4 ? vector : undefined;
	}

	/** Takes {@link pending} for the processor: it is in service from now on. */
	accept(): number | undefined {
		const vector = this.pending();
		if (vector === undefined) return undefined;
		clearVector(this.#words, Register.IRR, vector);
		setVector(this.#words, Register.ISR, vector);
		return vector;
	}

	/** True where the PIC's interrupts reach this processor: LINT0 takes them, or there is nothing between (11.4.3, 11.5.1). */
	get acceptsExternal(): boolean {
		const lint0 = load(this.#words, Register.LVT_LINT0);
		const mode = (lint0 & Command.MODE) >>> Command.MODE_SHIFT;
		return !isPresent(this.#words) || ((lint0 & Lvt.MASKED) === 0 && mode === DeliveryMode.external);
	}

	/** Takes the requests to the processor itself; undefined: there are none. */
	takeRequests(): ApicRequests | undefined {
		if (load(this.#words, Word.requests) === 0) return undefined;
		const requests = Atomics.exchange(this.#words, Word.requests, 0);
		return {
			init: (requests & Request.INIT) !== 0,
			startup: (requests & Request.STARTUP) === 0 ? undefined : (requests >>> Request.VECTOR_SHIFT) & 0xff,
			nmi: (requests & Request.NMI) !== 0,
		};
	}

	/** Time at which {@link expire} is to be called, in nanoseconds of the clock; undefined: the timer does not run. */
	get nextEvent(): bigint | undefined {
		return this.#timer.next;
	}

	/** Delivers the timer's interrupt where its time has come. */
	expire(): void {
		if (this.#timer.expire()) deliverLocal(this.#words, Register.LVT_TIMER);
	}

	/** Bit 8 of IA32_APIC_BASE: INIT makes this processor start, and not wait for a start-up request. */
	get isBoot(): boolean {
		return (load(this.#words, Word.base) & Base.BSP) !== 0;
	}

	/** Physical address of the page of registers; undefined where memory has none. */
	get page(): number | undefined {
		return isPresent(this.#words) && !isX2apic(this.#words) ? Number(this.base & ~0xfffn) : undefined;
	}

	/** IA32_APIC_BASE. */
	get base(): bigint {
		const [low, high] = [load(this.#words, Word.base), load(this.#words, Word.baseHigh)];
		return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
	}

	/** CR8: the class of the task priority (11.8.6). */
	get cr8(): number {
		return load(this.#words, Register.TPR) >>> 4;
	}

	set cr8(priority: number) {
		Atomics.store(this.#words, Register.TPR, (priority & 15) << 4);
	}

	/** Resets it with the machine, while no processor runs. */
	reset(): void {
		this.#timer.stop();
		powerOn(this.#words, this.#spec);
	}

	/** Resets it after INIT. */
	init(): void {
		this.#timer.stop();
		initialize(this.#words, this.#spec);
	}

	/** Reads the page: up to 4 bytes of one register. Others have no meaning, and read 0 (11.4.1). */
	readPage(offset: number, bytes: number): number {
		const number = (offset >>> 4) & 0xff;
		const shift = offset & 15;
		if (shift + bytes > 4 || !this.#inPage(number)?.xapic.includes('r')) return 0;
		return ((this.#read(number) >>> (shift * 8)) & (2 ** (bytes * 8) - 1)) >>> 0;
	}

	/** Writes the page: 4 bytes at a register. Nothing comes of others. */
	writePage(offset: number, bytes: number, value: number): void {
		const number = (offset >>> 4) & 0xff;
		if ((offset & 15) !== 0 || bytes !== 4) return;
		const rule = this.#inPage(number);
		if (rule?.xapic.includes('w')) this.#write(number, value & this.#writable(number, rule));
	}

	/** Reads a register that {@link isApicMsr} names; undefined: RDMSR faults. */
	readMsr(index: number): bigint | undefined {
		if (index === Msr.APIC_BASE) return this.base;
		if (index === Msr.TSC_DEADLINE) {
			this.expire();
			return this.#offer.tscDeadline ? this.#timer.deadline : undefined;
		}
		const number = index - x2apicMsrs.first;
		if (!this.#isExtended || !registerRules.get(number)?.x2apic.includes('r')) return undefined;
		const low = BigInt(this.#read(number) >>> 0);
		return number === Register.ICR ? low | (BigInt(this.#read(Register.ICR_HIGH) >>> 0) << 32n) : low;
	}

	/** Writes one; false: WRMSR faults, as it does for reserved bits (11.12.1.3). */
	writeMsr(index: number, value: bigint): boolean {
		if (index === Msr.APIC_BASE) return this.#writeBase(value);
		if (index === Msr.TSC_DEADLINE) {
			this.expire();
			if (this.#offer.tscDeadline) this.#timer.deadline = value;
			return this.#offer.tscDeadline;
		}
		const number = index - x2apicMsrs.first;
		const rule = registerRules.get(number);
		if (!this.#isExtended || !rule?.x2apic.includes('w')) return false;
		const [low, high] = [Number(value & 0xffff_ffffn) | 0, Number(value >> 32n) | 0];
		const writable = this.#writable(number, rule);
		if ((low & ~(writable | rule.status)) !== 0 || (high !== 0 && number !== Register.ICR)) return false;
		if (number === Register.ICR) Atomics.store(this.#words, Register.ICR_HIGH, high);
		this.#write(number, low & writable);
		return true;
	}

	/** Gives the state for a snapshot, after {@link takeRequests}, and not while the processor runs. */
	save(): SavedLocalApic {
		this.expire();
		const page = savePage((number) => this.#read(number));
		return {page, base: this.base, deadline: this.#timer.deadline, errors: load(this.#words, Word.errors)};
	}

	/**
	 * Takes a state, perhaps another back end's. Before the processor runs, and after its counter is set.
	 * @throws VmmError STATE_FIELD_WRONG for one that none can have
	 */
	restore(saved: SavedLocalApic): void {
		this.reset();
		if (!isBase(saved.base, this.#spec, this.#offer)) throw wrongApic('special.apicBase');
		this.#setBase(saved.base);
		this.#timer.resume(takePage(this.#words, saved), saved.deadline);
	}

	get #isExtended(): boolean {
		return isPresent(this.#words) && isX2apic(this.#words);
	}

	#setBase(base: bigint): void {
		Atomics.store(this.#words, Word.baseHigh, Number(base >> 32n));
		setBase(this.#words, Number(base & 0xffff_ffffn) | 0);
	}

	#writeBase(base: bigint): boolean {
		const [was, willBe] = [modeOf(this.base), modeOf(base)];
		if (!isBase(base, this.#spec, this.#offer) || !isTransition(was, willBe)) return false;
		if (was !== willBe && willBe === 0) {
			// Nothing but the id outlives it (11.12.5.1).
			this.#timer.stop();
			clear(this.#words);
		}
		if (was !== willBe && willBe === Base.MODE) Atomics.store(this.#words, Register.ICR_HIGH, 0);
		this.#setBase(base);
		return true;
	}

	/** Bits of a register that can be changed here. */
	#writable(number: number, {writable}: RegisterRule): number {
		if (number !== Register.LVT_TIMER || this.#offer.tscDeadline) return writable;
		return writable & ~(TimerMode.deadline << Lvt.TIMER_MODE_SHIFT);
	}

	/** Looks a register up in the page; none is an error of the guest's (11.5.3). */
	#inPage(number: number): RegisterRule | undefined {
		const rule = registerRules.get(number);
		if (rule !== undefined && rule.xapic !== '') return rule;
		reportError(this.#words, ErrorBit.illegalRegister);
		return undefined;
	}

	#read(number: number): number {
		const id = load(this.#words, Word.apicId);
		switch (number) {
			case Register.ID:
				return this.#isExtended ? id : id << 24;
			case Register.PPR:
				return processorPriority(this.#words);
			case Register.CURRENT_COUNT:
				this.expire();
				return this.#timer.count;
			default:
				return load(this.#words, number);
		}
	}

	/** Carries out a write of bits that may be written. */
	#write(number: number, value: number): void {
		const words = this.#words;
		switch (number) {
			case Register.EOI:
				this.#end();
				break;
			case Register.ESR:
				Atomics.store(words, Register.ESR, Atomics.exchange(words, Word.errors, 0));
				break;
			case Register.SELF_IPI:
				sendCommand(this.#apics, this.#spec.index, value | (Shorthand.self << Command.SHORTHAND_SHIFT));
				break;
			case Register.ICR:
				Atomics.store(words, Register.ICR, value);
				sendCommand(this.#apics, this.#spec.index, value);
				break;
			case Register.DFR:
				Atomics.store(words, Register.DFR, value | Dfr.RESERVED);
				break;
			case Register.SVR:
				Atomics.store(words, Register.SVR, value);
				// Entries are masked, and stay so until software enables again (11.4.7.2).
				if ((value & Svr.ENABLED) === 0) for (const entry of lvtRegisters) Atomics.or(words, entry, Lvt.MASKED);
				break;
			case Register.INITIAL_COUNT:
				this.expire();
				this.#timer.start(value);
				break;
			case Register.DIVIDE:
				this.expire();
				this.#timer.divide(value);
				break;
			default:
				this.#writeEntry(number, value);
		}
	}

	/** Writes an entry of the local vector table, or a register that only holds its value. */
	#writeEntry(number: number, value: number): void {
		const isEntry = number >= Register.LVT_TIMER && number <= Register.LVT_ERROR;
		const masked = isEntry && !isSoftwareEnabled(this.#words) ? Lvt.MASKED : 0;
		if (number !== Register.LVT_TIMER) Atomics.store(this.#words, number, value | masked);
		else {
			this.expire();
			this.#timer.configure(value | masked);
		}
	}

	/** Ends the most urgent interrupt in service (11.8.5). */
	#end(): void {
		const vector = highestVector(this.#words, Register.ISR);
		if (vector < 0) return;
		clearVector(this.#words, Register.ISR, vector);
		if (hasVector(this.#words, Register.TMR, vector)) this.#outside.endOfInterrupt(vector);
	}
}
