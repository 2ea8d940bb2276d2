import type {ApicMode} from '#vcpu-worker/hypervisor';
import {type ApicOutside, LocalApic, LocalApics} from '#vcpu-worker/software/local-apic';

/** Nanoseconds of a cycle of the time-stamp counter. */
const counterNs = 2n;

/** Local APICs on one thread, with a clock that a test moves. */
export class ApicMachine {
	/** Time in nanoseconds. */
	now = 1000n;
	/** Vectors whose end level-triggered sources were told, by processor. */
	readonly ended: [index: number, vector: number][] = [];
	/** Indexes of processors that were woken, in order. */
	readonly woken: number[] = [];
	readonly all: LocalApics;
	readonly apics: readonly LocalApic[];

	constructor(ids: readonly number[], apicMode: ApicMode = 'x2apic-supported', tscDeadline = true) {
		this.all = new LocalApics(new SharedArrayBuffer(LocalApics.byteLength(ids.length)), (index) =>
			this.woken.push(index),
		);
		this.apics = ids.map((apicId, index) => {
			const spec = {index, apicId, apicMode};
			this.all.add(spec);
			return new LocalApic(this.all, spec, {physicalAddressBits: 40, tscDeadline}, this.#outside(index));
		});
	}

	/** Gives one processor's. */
	apic(index: number): LocalApic {
		return this.apics[index] as LocalApic;
	}

	/** Enables all by software, as kernels do. */
	enabled(): this {
		for (const apic of this.apics) write(apic, 'svr', 0x1ff);
		return this;
	}

	/** Enables all, in x2APIC mode. */
	extended(): this {
		for (const apic of this.apics) apic.writeMsr(0x1b, apic.base | 0xc00n);
		return this.enabled();
	}

	/** Gives the vectors that each processor has in IRR. */
	requested(): number[][] {
		return this.apics.map((apic) => vectorsOf(apic, 0x20));
	}

	#outside(index: number): ApicOutside {
		return {
			now: () => this.now,
			counter: () => this.now / counterNs,
			timeOf: (counter) => counter * counterNs,
			endOfInterrupt: (vector) => void this.ended.push([index, vector]),
		};
	}
}

const numbers = {
	id: 0x02,
	tpr: 0x08,
	ppr: 0x0a,
	eoi: 0x0b,
	ldr: 0x0d,
	dfr: 0x0e,
	svr: 0x0f,
	isr: 0x10,
	tmr: 0x18,
	irr: 0x20,
	esr: 0x28,
	icr: 0x30,
	icrHigh: 0x31,
	timer: 0x32,
	thermal: 0x33,
	performance: 0x34,
	lint0: 0x35,
	lint1: 0x36,
	error: 0x37,
	initialCount: 0x38,
	currentCount: 0x39,
	divide: 0x3e,
	selfIpi: 0x3f,
} as const;
export type RegisterName = keyof typeof numbers;

/** Writes a register as the mode has it; the upper half of a command is of x2APIC mode. */
export function write(apic: LocalApic, name: RegisterName, value: number, high = 0): void {
	const number = numbers[name];
	if (apic.page !== undefined) apic.writePage(number * 16, 4, value);
	else if (!apic.writeMsr(0x800 + number, (BigInt(high >>> 0) << 32n) | BigInt(value >>> 0)))
		throw new Error(`WRMSR of ${name} faults`);
}

/** Reads a register as the mode has it. */
export function read(apic: LocalApic, name: RegisterName): number {
	const number = numbers[name];
	return apic.page !== undefined ? apic.readPage(number * 16, 4) : Number(apic.readMsr(0x800 + number));
}

/** Sends a command in either mode. */
export function send(apic: LocalApic, command: number, destination = 0): void {
	if (apic.page !== undefined) write(apic, 'icrHigh', destination << 24);
	write(apic, 'icr', command, destination);
}

/** Gives the vectors whose bits are set in eight registers, as a snapshot has them. */
function vectorsOf(apic: LocalApic, first: number): number[] {
	const view = new DataView(apic.save().page.buffer);
	return Array.from({length: 256}, (_, vector) => vector).filter(
		(vector) => (view.getUint32((first + (vector >> 5)) * 16, true) >>> (vector & 31)) & 1,
	);
}
