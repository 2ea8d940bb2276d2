import {CommandWord, Icw1, Icw4, inputsPerChip, Ocw2, Ocw3, Phase, pollRequest, vectorBaseMask} from './registers.ts';
import type {ChipRegisters} from './state.ts';

/** Position of `input` when the input after `lowest` comes first: 0 is the highest priority. */
const rank = (input: number, lowest: number): number => (input - lowest - 1) & (inputsPerChip - 1);

/** The input of highest priority among the bits of `inputs`; undefined when there is none. */
function highestOf(inputs: number, lowest: number): number | undefined {
	for (let i = 1; i <= inputsPerChip; i++) {
		const input = (lowest + i) & (inputsPerChip - 1);
		if ((inputs & (1 << input)) !== 0) return input;
	}
	return undefined;
}

/**
 * One 8259A over its registers. MCS-80 mode, buffered mode and what ICW3 says have no meaning on a PC, whose wiring is
 * fixed, and are ignored.
 */
export class PicChip {
	readonly #registers: ChipRegisters;
	/** Inputs that a slave drives. */
	readonly #slaves: number;

	constructor(registers: ChipRegisters, slaves: number) {
		this.#registers = registers;
		this.#slaves = slaves;
	}

	/** The INT output. */
	get output(): boolean {
		return this.#request() !== undefined;
	}

	/** Tells whether the next read answers a poll command. */
	get polled(): boolean {
		return this.#registers.poll === 1;
	}

	/**
	 * Sets the level of an input. A rise requests. "In both the edge and level triggered modes the IR inputs must remain
	 * high until after the falling edge of the first INTA", so a fall takes the request back.
	 */
	setInput(input: number, asserted: boolean): void {
		const r = this.#registers;
		const bit = 1 << input;
		if (asserted) {
			r.irr |= bit & ~r.pins;
			r.pins |= bit;
		} else {
			r.irr &= ~bit;
			r.pins &= ~bit;
		}
	}

	/** The input, which is high, falls and rises: it requests, and a request that it has stands. */
	raiseAgain(input: number): void {
		const bit = 1 << input;
		this.#registers.irr |= bit;
		this.#registers.pins |= bit;
	}

	/** INTA: takes the request of highest priority into service. Changes nothing when there is none. */
	acknowledge(): number | undefined {
		const r = this.#registers;
		const input = this.#request();
		if (input === undefined) return undefined;
		const bit = 1 << input;
		// The request of a level-triggered input lasts as long as the level.
		r.irr &= ~bit | this.#levelTriggered();
		if ((r.icw4 & Icw4.AEOI) === 0) r.isr |= bit;
		else if (r.rotate === 1) r.lowest = input;
		return input;
	}

	/** The vector of an input. */
	vector(input: number): number {
		return (this.#registers.icw2 & vectorBaseMask) | input;
	}

	/** Answers a poll command, whichever port is read: "the 8259A treats the next RD pulse as an interrupt acknowledge". */
	poll(): number {
		this.#registers.poll = 0;
		const input = this.acknowledge();
		return input === undefined ? 0 : pollRequest | input;
	}

	/** A read that no poll command came before. */
	read(a0: number): number {
		const r = this.#registers;
		if (a0 === 1) return r.imr;
		return r.readIsr === 1 ? r.isr : r.irr;
	}

	/** Writes the command port (`a0` 0) or the data port (1). */
	write(a0: number, value: number): void {
		if (a0 === 1) this.#writeData(value);
		else if ((value & CommandWord.ICW1) !== 0) this.#initialize(value);
		else if ((value & CommandWord.OCW3) !== 0) this.#writeOcw3(value);
		else this.#writeOcw2(value >> Ocw2.OPERATION_SHIFT, value & Ocw2.INPUT_MASK);
	}

	get elcr(): number {
		return this.#registers.elcr;
	}

	set elcr(value: number) {
		const r = this.#registers;
		r.elcr = value;
		r.irr |= r.pins & value;
	}

	/** Gives the request that the priority resolver lets through to the output. */
	#request(): number | undefined {
		const r = this.#registers;
		if (r.phase !== Phase.READY) return undefined;
		const input = highestOf(r.irr & ~r.imr, r.lowest);
		const served = highestOf(this.#blocking(), r.lowest);
		if (input === undefined || served === undefined) return input;
		if (rank(input, r.lowest) < rank(served, r.lowest)) return input;
		// Special fully nested mode: a slave in service is not locked out, for a higher input of it may request.
		const nests = input === served && (r.icw4 & Icw4.SFNM) !== 0 && (this.#slaves & (1 << input)) !== 0;
		return nests ? input : undefined;
	}

	/** Interrupts in service that count: in special mask mode a masked one neither blocks nor gets a non-specific EOI. */
	#blocking(): number {
		const r = this.#registers;
		return r.specialMask === 1 ? r.isr & ~r.imr : r.isr;
	}

	#levelTriggered(): number {
		const r = this.#registers;
		return (r.icw1 & Icw1.LTIM) !== 0 ? 0xff : r.elcr;
	}

	/** ICW1 resets the edge sense circuit, so a high edge-triggered input has to fall and rise again. */
	#initialize(icw1: number): void {
		const r = this.#registers;
		r.icw1 = icw1;
		if ((icw1 & Icw1.IC4) === 0) r.icw4 = 0;
		r.irr = r.pins & this.#levelTriggered();
		r.isr = 0;
		r.imr = 0;
		r.lowest = 7;
		r.rotate = 0;
		r.specialMask = 0;
		r.readIsr = 0;
		r.poll = 0;
		r.phase = Phase.ICW2;
	}

	#writeData(value: number): void {
		const r = this.#registers;
		const last = (r.icw1 & Icw1.IC4) !== 0 ? Phase.ICW4 : Phase.READY;
		switch (r.phase) {
			case Phase.ICW2:
				r.icw2 = value;
				r.phase = (r.icw1 & Icw1.SNGL) !== 0 ? last : Phase.ICW3;
				break;
			case Phase.ICW3:
				r.phase = last;
				break;
			case Phase.ICW4:
				r.icw4 = value;
				r.phase = Phase.READY;
				break;
			default:
				// OCW1, before initialization too: Linux finds out by the mask whether there is a controller.
				r.imr = value;
		}
	}

	#writeOcw2(operation: number, input: number): void {
		const r = this.#registers;
		switch (operation) {
			case Ocw2.CLEAR_ROTATE_ON_AEOI:
				r.rotate = 0;
				break;
			case Ocw2.SET_ROTATE_ON_AEOI:
				r.rotate = 1;
				break;
			case Ocw2.NON_SPECIFIC_EOI:
				this.#endOfInterrupt(highestOf(this.#blocking(), r.lowest), false);
				break;
			case Ocw2.ROTATE_ON_NON_SPECIFIC_EOI:
				this.#endOfInterrupt(highestOf(this.#blocking(), r.lowest), true);
				break;
			case Ocw2.SPECIFIC_EOI:
				this.#endOfInterrupt(input, false);
				break;
			case Ocw2.ROTATE_ON_SPECIFIC_EOI:
				this.#endOfInterrupt(input, true);
				break;
			case Ocw2.SET_PRIORITY:
				r.lowest = input;
				break;
		}
	}

	#endOfInterrupt(input: number | undefined, rotates: boolean): void {
		if (input === undefined) return;
		this.#registers.isr &= ~(1 << input);
		if (rotates) this.#registers.lowest = input;
	}

	#writeOcw3(value: number): void {
		const r = this.#registers;
		r.poll = (value & Ocw3.P) !== 0 ? 1 : 0;
		if ((value & Ocw3.RR) !== 0) r.readIsr = value & Ocw3.RIS;
		if ((value & Ocw3.ESMM) !== 0) r.specialMask = (value & Ocw3.SMM) !== 0 ? 1 : 0;
	}
}
