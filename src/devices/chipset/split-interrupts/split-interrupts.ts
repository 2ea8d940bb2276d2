import {IoApic, ioApic82093aaKind} from '#devices/chipset/ioapic-82093aa';
import {PicPair, pic8259Kind} from '#devices/chipset/pic-8259';
import {extIntInput, type InterruptController, type MessageInterrupts, pitReplacedInput} from '#devices/interrupts';
import type {AttachedDevice, AttachedMachine} from '#devices/machine';

/** Effects of a machine's chips outside it. */
export interface SplitInterruptHost {
	readonly messages: MessageInterrupts;
	/** Makes the boot processor look at its interrupt pin ({@link SplitInterrupts.extInt}). */
	readonly alertBootCpu: () => void;
}

/** The ISA interrupts, which lead to the PIC as well. */
const isaCount = 16;
/** The timer's interrupt arrives at this input of the I/O APIC (ACPI 6.5, 5.2.12.5; the MADT says so). */
const timer = {irq: 0, input: 2} as const;
const pinOf = (input: number): number => (input === timer.irq ? timer.input : input);

/**
 * The interrupt controllers of a machine whose PIC and I/O APIC are devices of ours. One per thread, over the shared state of
 * both chips; each call is made under the chip's lock.
 */
export class SplitInterrupts implements InterruptController {
	readonly messages: MessageInterrupts;
	readonly #alertBootCpu: () => void;
	#chips: Chips | undefined;

	constructor({messages, alertBootCpu}: SplitInterruptHost) {
		this.messages = messages;
		this.#alertBootCpu = alertBootCpu;
	}

	/** Says which machine's chips these are. Before that, lines have nowhere to lead. */
	bind(machine: AttachedMachine): void {
		this.#chips = new Chips(machine);
	}

	setLine(input: number, asserted: boolean): void {
		if (input === extIntInput) {
			if (asserted) this.#alertBootCpu();
			return;
		}
		// The output of a PIT of ours leads through the HPET.
		if (input === pitReplacedInput) return;
		const {pic, ioApic} = this.#bound;
		if (input < isaCount) pic.device.target.locked(() => pic.pair.setInput(input, asserted));
		ioApic.device.target.locked(() => ioApic.chip.setInput(pinOf(input), asserted));
	}

	rise(input: number): void {
		const {pic, ioApic} = this.#bound;
		if (input < isaCount) pic.device.target.locked(() => pic.pair.raiseAgain(input));
		ioApic.device.target.locked(() => ioApic.chip.raiseAgain(pinOf(input)));
	}

	/** The level of the boot processor's interrupt pin. */
	get extInt(): boolean {
		return this.#bound.machine.lines.isAsserted(extIntInput);
	}

	/** The boot processor takes an interrupt from its pin: the vector, as the PIC gives it. */
	acknowledge(): number {
		const {pic} = this.#bound;
		return pic.device.target.locked(() => pic.pair.acknowledge());
	}

	/** A processor has finished the interrupt with this vector, which is level-triggered at the I/O APIC. */
	endOfInterrupt(vector: number): void {
		const {ioApic} = this.#bound;
		ioApic.device.target.locked(() => ioApic.chip.endOfInterrupt(vector));
	}

	get #bound(): Chips {
		if (this.#chips === undefined) throw new TypeError('the interrupt controllers belong to no machine yet');
		return this.#chips;
	}
}

/** Both chips over their state in one machine. */
class Chips {
	readonly machine: AttachedMachine;
	readonly pic: {readonly device: AttachedDevice; readonly pair: PicPair};
	readonly ioApic: {readonly device: AttachedDevice; readonly chip: IoApic};

	constructor(machine: AttachedMachine) {
		const find = (kind: string): AttachedDevice => {
			const device = machine.devices.find(({placed}) => placed.kind === kind);
			if (device === undefined) throw new TypeError(`the machine has no ${kind}`);
			return device;
		};
		const [pic, ioApic] = [find(pic8259Kind), find(ioApic82093aaKind)];
		this.machine = machine;
		this.pic = {device: pic, pair: new PicPair(pic.state, pic.services.line('intr'))};
		this.ioApic = {device: ioApic, chip: new IoApic(ioApic.state, ioApic.services.messages)};
	}
}
