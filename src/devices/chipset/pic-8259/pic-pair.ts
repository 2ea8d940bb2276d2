import type {InterruptLine} from '#devices/interrupts';
import type {FieldsView} from '#support/wire';
import {PicChip} from './pic-chip.ts';
import {cascadeInput, elcrWritable, inputsPerChip, spuriousInput} from './registers.ts';
import type {Pic8259Fields} from './state.ts';

/** Master, slave. */
type ChipIndex = 0 | 1;

/**
 * Master and slave over their shared state, as one thread sees them. To be called under the device's lock. Every
 * method that may change the INTR output sets it.
 */
export class PicPair {
	readonly #master: PicChip;
	readonly #slave: PicChip;
	readonly #intr: InterruptLine;

	constructor(state: FieldsView<Pic8259Fields>, intr: InterruptLine) {
		this.#master = new PicChip(state.master, 1 << cascadeInput);
		this.#slave = new PicChip(state.slave, 0);
		this.#intr = intr;
	}

	/** Sets the level of IRQ 0–15. IRQ 2 is the cascade, which nothing else can drive. */
	setInput(irq: number, asserted: boolean): void {
		if (irq === cascadeInput) return;
		if (irq < inputsPerChip) this.#master.setInput(irq, asserted);
		else this.#slave.setInput(irq - inputsPerChip, asserted);
		this.#follow();
	}

	/** IRQ 0–15 falls and rises. Whatever it requests meanwhile stands, and INTR does not fall. */
	raiseAgain(irq: number): void {
		if (irq === cascadeInput) return;
		if (irq < inputsPerChip) this.#master.raiseAgain(irq);
		else this.#slave.raiseAgain(irq - inputsPerChip);
		this.#follow();
	}

	/** After a change of an input. */
	#follow(): void {
		// The slave's INT does not follow a request that its input takes back, until INTA or the next command: "a default
		// IR7 will occur when the CPU acknowledges the interrupt", and it is the slave's.
		if (this.#slave.output) this.#master.setInput(cascadeInput, true);
		this.#setIntr();
	}

	/**
	 * An INTA cycle: takes the request of highest priority into service.
	 * @returns its vector, or the vector of input 7 of the chip that found no request; that chip's ISR does not change
	 */
	acknowledge(): number {
		const input = this.#master.acknowledge() ?? spuriousInput;
		const cascaded = input === cascadeInput;
		const vector = cascaded ? this.#acknowledgeSlave() : this.#master.vector(input);
		this.#setIntr();
		return vector;
	}

	/** Reads the command port (`a0` 0) or the data port (1) of a chip. */
	read(chip: ChipIndex, a0: number): number {
		const target = this.#chip(chip);
		if (!target.polled) return target.read(a0);
		const answer = target.poll();
		if (chip === 1) this.#restartCascade();
		this.#setIntr();
		return answer;
	}

	/** Writes the command port (`a0` 0) or the data port (1) of a chip. */
	write(chip: ChipIndex, a0: number, value: number): void {
		this.#chip(chip).write(a0, value);
		this.update();
	}

	/** The edge/level control register of a chip. */
	readElcr(chip: ChipIndex): number {
		return this.#chip(chip).elcr;
	}

	/** See {@link readElcr}; inputs that are always edge-triggered stay so. */
	writeElcr(chip: ChipIndex, value: number): void {
		this.#chip(chip).elcr = value & elcrWritable[chip];
		this.update();
	}

	/** Derives the cascade and the INTR output from the state. */
	update(): void {
		this.#master.setInput(cascadeInput, this.#slave.output);
		this.#setIntr();
	}

	#chip(chip: ChipIndex): PicChip {
		return chip === 0 ? this.#master : this.#slave;
	}

	#acknowledgeSlave(): number {
		const input = this.#slave.acknowledge() ?? spuriousInput;
		this.#restartCascade();
		return this.#slave.vector(input);
	}

	/** INTA takes the slave's INT down. With a further request it rises again, which the master needs for an edge. */
	#restartCascade(): void {
		this.#master.setInput(cascadeInput, false);
		this.#master.setInput(cascadeInput, this.#slave.output);
	}

	#setIntr(): void {
		this.#intr.setLevel(this.#master.output);
	}
}
