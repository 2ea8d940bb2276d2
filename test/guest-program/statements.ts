import type {AccessSize} from '#devices/device';
import {al, ax, byte, dword, dx, eax, ecx, qword, rcx, word as wordAt} from '#flowey/x86-assembler';
import {apicRegister, writeApic} from '#test/tmk';
import {
	cpuid as cpuidStep,
	load as loadStep,
	readPort,
	relax,
	store as storeStep,
	writePort,
} from '#vcpu-worker/hypervisor/testing';
import type {Condition, Operand, Statement, Word} from './statement.ts';

const accumulator = {1: al, 2: ax, 4: eax};
const memory = {1: byte, 2: wordAt, 4: dword};

export const set = (to: Word, value: Operand): Statement => ({
	*play(on) {
		yield* on.write(to, yield* on.read(value));
	},
	emit({take, put}) {
		take(eax, value);
		put(to);
	},
});

const operators = {
	add: (left: number, right: number) => left + right,
	and: (left: number, right: number) => left & right,
	or: (left: number, right: number) => left | right,
	xor: (left: number, right: number) => left ^ right,
};

/** `to` becomes what it and `by` come to, in 32 bits. */
export const compute = (to: Word, operator: keyof typeof operators, by: Operand): Statement => ({
	*play(on) {
		yield* on.write(to, operators[operator](yield* on.read(to), yield* on.read(by)) >>> 0);
	},
	emit({asm, take, put}) {
		take(eax, to);
		take(ecx, by);
		asm[operator](eax, ecx);
		put(to);
	},
});

/** CPUID: `to` becomes EAX. */
export const cpuid = (to: Word, leaf: number): Statement => ({
	*play(on) {
		yield* on.write(to, yield cpuidStep(leaf));
	},
	emit({asm, put}) {
		asm.mov(eax, leaf);
		asm.cpuid(); // changes EBX as well, which nobody uses
		put(to);
	},
});

export const input = (to: Word, port: number, size: AccessSize): Statement => ({
	*play(on) {
		yield* on.write(to, yield readPort(port, size));
	},
	emit({asm, put}) {
		asm.xor(eax, eax);
		asm.mov(dx, port);
		asm.in(accumulator[size], dx);
		put(to);
	},
});

export const output = (port: number, size: AccessSize, value: Operand): Statement => ({
	*play(on) {
		yield writePort(port, size, yield* on.read(value));
	},
	emit({asm, take}) {
		take(eax, value);
		asm.mov(dx, port);
		asm.out(dx, accumulator[size]);
	},
});

/** Bytes to ports, in this order. */
export const outputs = (...pairs: readonly (readonly [port: number, value: number])[]): Statement =>
	block(pairs.map(([port, value]) => output(port, 1, value)));

/** Says something on the serial port at 0x3F8. */
export const say = (text: string): Statement =>
	outputs(...[...Buffer.from(text)].map((each) => [0x3f8, each] as const));

/** Reads memory, or what a device has there, below 4 GiB. */
export const load = (to: Word, address: Operand, size: AccessSize, offset = 0): Statement => ({
	*play(on) {
		yield* on.write(to, yield loadStep((yield* on.read(address)) + offset, size));
	},
	emit({asm, take, put}) {
		take(ecx, address);
		asm.xor(eax, eax);
		asm.mov(accumulator[size], memory[size](rcx, offset));
		put(to);
	},
});

/** Writes memory, or what a device has there, below 4 GiB. */
export const store = (address: Operand, size: AccessSize, value: Operand, offset = 0): Statement => ({
	*play(on) {
		yield storeStep((yield* on.read(address)) + offset, size, yield* on.read(value));
	},
	emit({asm, take}) {
		take(ecx, address);
		take(eax, value);
		asm.mov(memory[size](rcx, offset), accumulator[size]);
	},
});

/** One after another. */
export const block = (statements: readonly Statement[]): Statement => ({
	play: (on) => on.block(statements),
	emit: (to) => to.block(statements),
});

export const when = (condition: Condition, ...body: readonly Statement[]): Statement => ({
	*play(on) {
		if (yield* on.holds(condition)) yield* on.block(body);
	},
	emit({asm, unless, block}) {
		const over = asm.unique('over');
		unless(condition, over);
		block(body);
		asm.label(over);
	},
});

/** As long as this holds. Without a body it waits for somebody else, and does not halt. */
export const loopWhile = (condition: Condition, ...body: readonly Statement[]): Statement => ({
	*play(on) {
		while (yield* on.holds(condition)) {
			yield* on.block(body);
			yield relax();
		}
	},
	emit({asm, unless, block}) {
		const [again, over] = [asm.unique('again'), asm.unique('over')];
		asm.label(again);
		unless(condition, over);
		block(body);
		asm.pause();
		asm.jmp(again);
		asm.label(over);
	},
});

export const forever = (...body: readonly Statement[]): Statement => loopWhile([0, '==', 0], ...body);

/** Sleeps from interrupt to interrupt as long as this holds. None is missed, and they come afterwards too. */
export const sleepWhile = (condition: Condition): Statement => ({
	*play(on) {
		yield* on.interrupts(true);
		while (yield* on.holds(condition)) yield* on.halt();
	},
	emit({asm, unless}) {
		const [again, over] = [asm.unique('again'), asm.unique('over')];
		asm.label(again);
		asm.cli();
		unless(condition, over);
		asm.sti(); // takes effect after the halt has begun
		asm.hlt();
		asm.jmp(again);
		asm.label(over);
		asm.sti();
	},
});

/** HLT: goes on when an interrupt has come, and been handled. */
export const halt: Statement = {
	play: (on) => on.halt(),
	emit: ({asm}) => asm.hlt(),
};

/** STI, or CLI, which is how a program begins. */
export const interrupts = (on: boolean): Statement => ({
	play: (playing) => playing.interrupts(on),
	emit: ({asm}) => (on ? asm.sti() : asm.cli()),
});

/** Ends the program by the port that a machine's `debug-exit` device watches. */
export const exit = (code: number): Statement => ({
	play: (on) => on.exit(code),
	emit: (to) => to.exit(code),
});

/** Ends the program with a code of this expectation's own unless it is met. */
export function expect(...condition: Condition): Statement {
	const expectation: Statement = {
		*play(on) {
			if (!(yield* on.holds(condition))) yield* on.exit(on.codeOf(expectation));
		},
		emit({asm, unless, exit, codeOf}) {
			const [wrong, fine] = [asm.unique('wrong'), asm.unique('fine')];
			unless(condition, wrong);
			asm.jmp(fine);
			asm.label(wrong);
			exit(codeOf(expectation));
			asm.label(fine);
		},
	};
	return expectation;
}

/** Faults so that the processor shuts down: a triple fault. */
export const crash: Statement = {
	*play() {
		yield {exit: 'shutdown'};
	},
	emit({asm}) {
		asm.lidt(qword('no-interrupts'));
		asm.ud2();
		asm.label('no-interrupts');
		asm.words(0);
		asm.qwords(0);
	},
};

/**
 * Starts another processor, which does what the program has for others. It is in the program's own memory like the first, and no
 * interrupt comes to it but by message.
 */
export const startProcessor = (apicId: number): Statement => ({
	play: (on) => on.start(apicId),
	emit: (to) => to.start(apicId),
});

/** Interrupts come from the I/O APIC and by message from now on; both 8259 interrupt controllers are masked. */
export const openLocalApic: Statement = {
	play: (on) => on.block([maskAll]),
	emit({asm, block}) {
		block([maskAll]);
		writeApic(asm, apicRegister.spurious, 0x1ff);
	},
};

/** Tells the local APIC that the interrupt is handled, and by it an I/O APIC. */
export const endApicInterrupt: Statement = {
	play: (on) => on.endOfInterrupt(),
	emit: ({asm}) => writeApic(asm, apicRegister.endOfInterrupt, 0),
};

/** Both 8259 interrupt controllers with vectors from 0x20 on, everything masked but this interrupt line and the cascade. */
export function openInterruptLine(irq: number): Statement {
	const mask = 0xffff & ~((1 << irq) | (1 << 2));
	const toPort = (port: number, ...values: readonly number[]) =>
		outputs(...values.map((value) => [port, value] as const));
	const first = [toPort(0x20, 0x11), toPort(0x21, 0x20, 4, 1, mask & 0xff)];
	return block([...first, toPort(0xa0, 0x11), toPort(0xa1, 0x28, 2, 1, mask >> 8)]);
}

/** Vector of an interrupt line after {@link openInterruptLine}. */
export const lineVector = (irq: number): number => 0x20 + irq;

/** Vector of a request that was withdrawn before the processor took it, after {@link openInterruptLine}; it does not end. */
export const spuriousVector = 0x27;

const maskAll = outputs([0x21, 0xff], [0xa1, 0xff]);

/** Tells both 8259 interrupt controllers that the interrupt is handled. */
export const endInterrupt: Statement = outputs([0xa0, 0x20], [0x20, 0x20]);
