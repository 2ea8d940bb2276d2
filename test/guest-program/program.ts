import {type Assembler, dword, eax, ecx, rax, rcx, rdx, rsp} from '#flowey/x86-assembler';
import {
	emitTrampoline,
	exitCode,
	exitPort,
	type LongModeKit,
	type MicroKernel,
	microKernel,
	stackTop,
	startProcessor,
} from '#test/tmk';
import {
	endOfInterrupt,
	type Guest,
	type GuestScript,
	type GuestStep,
	halt as haltStep,
	interruptsOn,
	load,
	startProcessor as startStep,
	store,
	untilStarted,
	writePort,
} from '#vcpu-worker/hypervisor/testing';
import type {Condition, Emitting, Operand, Playing, Statement, Steps, Word} from './statement.ts';

/** A guest that real processors execute as machine code, and fake ones as a script. */
export interface GuestProgram {
	readonly kernel: MicroKernel;
	readonly script: GuestScript;
	addressOf(word: Word): number;
}

/** Statements of a program. */
export interface ProgramParts {
	readonly name: string;
	/** On the boot processor. At its end the program exits with code 0. */
	readonly main: readonly Statement[];
	/** On every processor that is started. At its end it halts for good. */
	readonly others?: readonly Statement[];
	/** By vector: what interrupts do. Interrupts are off meanwhile. One that is missing here ends the program. */
	readonly handlers?: Readonly<Record<number, readonly Statement[]>>;
}

/** The first code of an expectation that is not met. */
export const firstUnmet = 0x10;
const lastUnmet = exitCode.unexpected - 1;
const nmiVector = 2;

/** Makes a program for the boot processor, and for others that it starts. */
export function guestProgram(parts: ProgramParts): GuestProgram {
	const codes = new Map<Statement, number>();
	const kernel = assemble(parts, codes);
	const addressOf = ({word}: Word) => kernel.addressOf(labelOf(word));
	return {kernel, addressOf, script: (vcpu) => new Player(parts, addressOf, codes).run(vcpu === 0)};
}

const labelOf = (word: string) => `word ${word}`;
/** Jumps that skip a statement when the condition does not hold. */
const opposite = {'==': 'jne', '!=': 'je', '<': 'jae', '>=': 'jb'} as const;

function assemble({name, main, others, handlers = {}}: ProgramParts, codes: Map<Statement, number>): MicroKernel {
	return microKernel(name, (asm, kit) => {
		const words = new Set<string>();
		const to = emitting(asm, kit, words, codes);
		for (const vector of Object.keys(handlers)) kit.handle(Number(vector), `vector ${vector}`);
		if (others !== undefined) {
			// The boot processor has come first, and has the first stack.
			asm.cmp(rsp, stackTop(0));
			asm.jne('others');
		}
		to.block(main);
		kit.exit(exitCode.ok);
		if (others !== undefined) {
			asm.label('others');
			to.block(others);
			asm.label('over');
			asm.cli();
			asm.hlt();
			asm.jmp('over');
			emitTrampoline(asm);
		}
		for (const [vector, body] of Object.entries(handlers)) {
			asm.label(`vector ${vector}`);
			for (const register of [rax, rcx, rdx]) asm.push(register);
			to.block(body);
			for (const register of [rdx, rcx, rax]) asm.pop(register);
			asm.iretq();
		}
		asm.align(4, 0);
		for (const word of words) {
			asm.label(labelOf(word));
			asm.dwords(0);
		}
	});
}

function emitting(asm: Assembler, kit: LongModeKit, words: Set<string>, codes: Map<Statement, number>): Emitting {
	const place = ({word}: Word) => {
		words.add(word);
		return dword(labelOf(word));
	};
	const take: Emitting['take'] = (register, operand) =>
		asm.mov(register, typeof operand === 'number' ? operand : place(operand));
	const to: Emitting = {
		asm,
		take,
		put: (word) => asm.mov(place(word), eax),
		unless([left, comparison, right], label) {
			take(eax, left);
			take(ecx, right);
			asm.cmp(eax, ecx);
			asm[opposite[comparison]](label);
		},
		block: (statements) => {
			for (const statement of statements) statement.emit(to);
		},
		start: (apicId) => startProcessor(asm, apicId),
		exit: (code) => kit.exit(code),
		codeOf(expectation) {
			const code = codes.get(expectation) ?? firstUnmet + codes.size;
			if (code > lastUnmet) throw new Error('A program has no codes for so many expectations');
			codes.set(expectation, code);
			return code;
		},
	};
	return to;
}

/** A program under way on a fake processor. */
class Player implements Playing {
	readonly #parts: ProgramParts;
	readonly #addressOf: (word: Word) => number;
	readonly #codes: ReadonlyMap<Statement, number>;
	#interruptsOn = false;
	#isInNmi = false;
	/** Vector whose handler is under way. */
	#vector = -1;
	/** The statement before was STI: it takes effect after the next one. */
	#inShadow = false;

	constructor(parts: ProgramParts, addressOf: (word: Word) => number, codes: ReadonlyMap<Statement, number>) {
		this.#parts = parts;
		this.#addressOf = addressOf;
		this.#codes = codes;
	}

	*run(isBoot: boolean): Guest {
		if (!isBoot) yield untilStarted;
		yield interruptsOn(false);
		yield* this.block((isBoot ? this.#parts.main : this.#parts.others) ?? []);
		if (isBoot) yield* this.exit(exitCode.ok);
		yield* this.#haltForGood();
	}

	*read(operand: Operand): Steps<number> {
		return typeof operand === 'number' ? operand : yield load(this.#addressOf(operand), 4);
	}

	*write(to: Word, value: number): Steps<void> {
		yield store(this.#addressOf(to), 4, value);
	}

	*holds([left, comparison, right]: Condition): Steps<boolean> {
		const [first, second] = [(yield* this.read(left)) >>> 0, (yield* this.read(right)) >>> 0];
		return compared[comparison](first, second);
	}

	*block(statements: readonly Statement[]): Steps<void> {
		for (const statement of statements) {
			if (this.#inShadow) this.#inShadow = false;
			else yield* this.#takeInterrupts();
			yield* statement.play(this);
		}
	}

	*halt(): Steps<void> {
		this.#inShadow = false;
		yield* this.#handle(yield haltStep());
	}

	*interrupts(on: boolean): Steps<void> {
		this.#inShadow = on && !this.#interruptsOn;
		yield* this.#flag(on);
	}

	*start(apicId: number): Steps<void> {
		yield startStep(apicId);
	}

	*endOfInterrupt(): Steps<void> {
		yield endOfInterrupt(this.#vector);
	}

	*exit(code: number): Steps<never> {
		yield writePort(exitPort, 1, code);
		return yield* this.#haltForGood();
	}

	codeOf(expectation: Statement): number {
		return this.#codes.get(expectation) ?? exitCode.wrong;
	}

	*#haltForGood(): Steps<never> {
		yield* this.#flag(false);
		for (;;) yield* this.halt();
	}

	*#flag(on: boolean): Steps<void> {
		this.#interruptsOn = on;
		yield interruptsOn(on);
	}

	*#takeInterrupts(): Steps<void> {
		while (!this.#isInNmi) {
			const vector = yield pending;
			if (vector < 0) return;
			yield* this.#handle(vector);
		}
	}

	*#handle(vector: number): Steps<void> {
		const body = this.#parts.handlers?.[vector];
		if (body === undefined) yield* this.exit(exitCode.unexpected);
		const before = [this.#interruptsOn, this.#isInNmi, this.#vector] as const;
		this.#vector = vector;
		this.#isInNmi ||= vector === nmiVector;
		yield* this.#flag(false);
		yield* this.block(body ?? []);
		yield* this.#flag(before[0]);
		[, this.#isInNmi, this.#vector] = before;
	}
}

const compared: Record<Condition[1], (left: number, right: number) => boolean> = {
	'==': (left, right) => left === right,
	'!=': (left, right) => left !== right,
	'<': (left, right) => left < right,
	'>=': (left, right) => left >= right,
};

/** The interrupt that comes before the next instruction; -1 when there is none. */
const pending: GuestStep = {inside: (cpu) => cpu.takeInterrupt() ?? -1};
