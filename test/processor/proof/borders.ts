import {crc32} from 'node:zlib';
import {Random} from '#test/silicon';
import type {DebugPlan} from '#vcpu-worker/debug';
import {
	type BorderMachine,
	type BorderMode,
	borderModes,
	borderVector,
	flagsNow,
	isOpen,
	wakeVector,
} from './border-machines.ts';
import {Findings, type ProofPart} from './part.ts';

type Kind = 'interrupt' | 'NMI';

/** An instruction of a sequence. */
interface Instruction {
	readonly start: bigint;
	readonly next: bigint;
	readonly text: string;
}

/** A place between two instructions, or between two elements of a string instruction, on the way without interrupts. */
interface Border {
	readonly rip: bigint;
	readonly isOpen: boolean;
	/** No interrupt may come here: behind STI that opened, MOV SS and POP SS (SDM volume 3, 6.8.1 and 6.8.3); the last two hold off NMIs too. */
	readonly isShadowed: Readonly<Record<Kind, boolean>>;
	readonly general: readonly bigint[];
	/** Checksum of RAM: a handler is at the same place with the same registers more than once. */
	readonly sum: number;
}

/** When an interrupt becomes pending: after so many single steps, or after a run of so many instructions or elements. */
interface Arrival {
	readonly kind: Kind;
	readonly by: 'steps' | 'budget';
	readonly count: number;
}

const hlt = 0xf4;
const stepPlan: DebugPlan = {step: true, breakpoints: [], hardware: [], stops: []};
/** More than any sequence has, with its handlers. */
const maxTurns = 2000;
const enough = 10_000;
const maxPieces = 4;
const pageBytes = 4096;

/** A sequence with a machine that begins anew as often as it is asked to. */
class Sequence {
	readonly machine: BorderMachine;
	readonly #instructions: ReadonlyMap<bigint, Instruction>;
	readonly #end: bigint;
	readonly #state: Uint8Array;
	readonly #ram: Uint8Array;

	constructor(mode: BorderMode, lines: readonly string[]) {
		const code = lines.flatMap((line) => bytesOf(line));
		this.machine = mode.start([...code, hlt]);
		const {processor, ram, rip} = this.machine;
		let start = rip;
		const instructions = lines.map((line) => {
			const next = start + BigInt(bytesOf(line).length);
			const one = {start, next, text: line.replace(/^([0-9a-f]{2} )+ */, '')};
			start = next;
			return one;
		});
		this.#instructions = new Map(instructions.map((one) => [one.start, one]));
		this.#end = start + 1n;
		this.#state = processor.core.save();
		this.#ram = ram.slice();
	}

	/** All borders of a run without interrupts, and what it leaves. */
	trace(): {readonly borders: readonly Border[]; readonly end: readonly string[]} {
		this.#restart();
		const {processor, ram} = this.machine;
		const {state} = processor.core;
		const borders: Border[] = [];
		let before: Border | undefined;
		while (borders.length < maxTurns) {
			const {rip} = state;
			const ran = before === undefined ? undefined : this.#instructions.get(before.rip);
			const last = ran?.next === rip ? ran.text : '';
			const loadsStack = /^(MOV|POP) SS/.test(last);
			const opens = last === 'STI' && before?.isOpen === false;
			const isShadowed = {interrupt: loadsStack || opens, NMI: loadsStack};
			const sum = crc32(ram);
			before = {rip, isOpen: isOpen(flagsNow(this.machine)), isShadowed, general: [...state.general], sum};
			borders.push(before);
			if (processor.isHalted && rip === this.#end) return {borders, end: this.#left()};
			if (processor.isHalted) processor.interrupt(wakeVector);
			else this.#step();
		}
		throw new Error('the sequence does not end');
	}

	/** Runs with an interrupt. @returns what is wrong; undefined where the run ends before it comes */
	interrupted(
		{kind, by, count}: Arrival,
		{borders, end}: ReturnType<Sequence['trace']>,
	): readonly string[] | undefined {
		this.#restart();
		const {machine} = this;
		const {processor} = machine;
		const {state} = processor.core;
		for (let step = 0; by === 'steps' && step < count; step++) {
			if (processor.isHalted && state.rip !== this.#end) processor.interrupt(wakeVector);
			else this.#step();
		}
		if (by === 'budget') processor.run(count);
		const sum = crc32(machine.ram);
		const isHere = (border: Border) =>
			border.rip === state.rip &&
			border.sum === sum &&
			border.general.every((value, index) => value === state.general[index]);
		const from = by === 'steps' ? count : borders.findIndex(isHere);
		const here = borders[from];
		if (here === undefined || !isHere(here)) return ['it comes to a border that the other run has not'];
		if (by === 'budget' && processor.isHalted) return undefined;
		let isPending = true;
		let taken: {readonly rip: bigint; readonly flags: number} | undefined;
		for (let turn = 0; turn < maxTurns; turn++) {
			const isAtEnd = processor.isHalted && state.rip === this.#end;
			const canCome =
				kind === 'NMI' ? !processor.interrupts.isNmiBlocked && !processor.isShadowed : processor.canInterrupt;
			if (isPending && canCome) {
				isPending = false;
				if (isAtEnd) taken = {rip: state.rip, flags: flagsNow(machine)};
				else {
					if (!(kind === 'NMI' ? processor.nmi() : processor.interrupt(borderVector))) return ['it shuts down'];
					taken = machine.frame();
				}
			}
			if (processor.isHalted && state.rip === this.#end) {
				const unlike = this.#left().filter((text, index) => text !== end[index]);
				return [...misplaced(kind, borders.slice(from), taken), ...unlike];
			}
			if (processor.isHalted) {
				if (isPending) return ['it does not end a HLT'];
				processor.interrupt(wakeVector);
			}
			processor.windowWanted = isPending && kind === 'interrupt';
			const stop = processor.run(isPending && kind === 'NMI' ? 0 : enough);
			if (stop === 'shutdown' || stop === 'debug') return [`it ends by ${stop}`];
		}
		return ['it does not end'];
	}

	#restart(): void {
		const {processor, ram} = this.machine;
		processor.core.restore(this.#state);
		ram.set(this.#ram);
		processor.isHalted = processor.isShadowed = processor.windowWanted = false;
		processor.interrupts.isNmiBlocked = false;
		processor.changed();
	}

	/** Executes an instruction, or an element of one. */
	#step(): void {
		const {debug} = this.machine.processor;
		debug.plan = stepPlan;
		this.machine.processor.run(enough);
		debug.plan = undefined;
		debug.stop = undefined;
	}

	/** All that a run leaves, in words. */
	#left(): readonly string[] {
		const {processor, ram, ignored} = this.machine;
		const {state} = processor.core;
		const hex = (value: bigint | number | undefined) => `${value?.toString(16)}`;
		for (const [from, to] of ignored) ram.fill(0, from, to);
		const memory: string[] = [];
		for (let page = 0; page < ram.length; page += pageBytes) {
			const now = ram.subarray(page, page + pageBytes);
			const then = this.#ram.subarray(page, page + pageBytes);
			if (Buffer.compare(now, then) === 0) continue;
			for (const [index, byte] of now.entries())
				if (byte !== then[index]) memory.push(`${hex(page + index)}: ${hex(byte)}`);
		}
		return [
			`RIP ${hex(state.rip)}`,
			`flags ${hex(flagsNow(this.machine))}`,
			...Array.from(state.general, (value, index) => `register ${index} ${hex(value)}`),
			...state.segments.map(
				({selector, base, limit, attributes}, index) =>
					`segment ${index} ${[selector, base, limit, attributes].map(hex).join(' ')}`,
			),
			`control ${[state.cr0, state.cr3, state.cr4, state.efer].map(hex).join(' ')}`,
			`x87 ${[state.x87Control, state.x87Status, state.x87Tags].map(hex).join(' ')}`,
			...state.x87.map(({significand, signExponent}, index) => `x87 ${index} ${hex(significand)} ${hex(signExponent)}`),
			`MXCSR ${hex(state.mxcsr)}`,
			`vectors ${Array.from(state.vector256, hex).join(' ')}`,
			`memory ${memory.join(', ')}`,
		];
	}
}

/** Says what is wrong with the border at which an interrupt came, of those from its arrival on. */
function misplaced(
	kind: Kind,
	borders: readonly Border[],
	taken: {readonly rip: bigint; readonly flags: number} | undefined,
): string[] {
	const isLegal = (border: Border) => !border.isShadowed[kind] && (kind === 'NMI' || border.isOpen);
	const first = borders.findIndex(isLegal);
	if (taken === undefined) return first < 0 ? [] : ['it never comes'];
	const at = borders.findIndex((border) => border.rip === taken.rip && isLegal(border));
	if (at < 0) return [`it comes at ${taken.rip.toString(16)}, where none may`];
	if (kind === 'interrupt' && !isOpen(taken.flags)) return ['its frame says that interrupts are closed'];
	// It need not come at the first instruction that lets it in, but before interrupts are closed again.
	const missed = kind === 'interrupt' && borders.slice(first, at).some((border) => !border.isOpen);
	return missed ? [`it comes at ${taken.rip.toString(16)}, after interrupts had been closed again`] : [];
}

const bytesOf = (line: string): readonly number[] =>
	(/^([0-9a-f]{2} )+/.exec(line)?.[0] ?? '')
		.trim()
		.split(' ')
		.map((text) => Number.parseInt(text, 16));

/** Pieces in turn, one alone; behind them some after each other, by the seed. */
const alone = borderModes.flatMap((mode) => Object.keys(mode.pieces).map((name) => ({mode, names: [name]})));

function sequenceOf(seed: number, number: number): {readonly mode: BorderMode; readonly names: readonly string[]} {
	const one = alone[number];
	if (one !== undefined) return one;
	const random = new Random(seed);
	random.restart(seed, number);
	const mode = random.pick(borderModes);
	const names = Object.keys(mode.pieces);
	return {mode, names: Array.from({length: 2 + random.below(maxPieces - 1)}, () => random.pick(names))};
}

/** An interrupt, or an NMI, before each instruction of sequences, between elements of strings, and at each end of a block. */
export const borders: ProofPart = {
	name: 'borders',
	title: 'an interrupt at every border leaves what a run without one leaves, and never comes in a shadow',
	oracle: 'manual',
	unit: 'sequences',
	daily: alone.length,
	whole: 400,
	share: 10,
	threads: 1,
	obstacle: () => undefined,
	run({seed, first, count}) {
		const findings = new Findings();
		let interrupts = 0;
		for (let number = first; number < first + count; number++) {
			const {mode, names} = sequenceOf(seed, number);
			const lines = names.flatMap((name) => (mode.pieces[name] ?? '').trim().split('\n'));
			const sequence = new Sequence(mode, lines);
			const trace = sequence.trace();
			const wrong: string[] = [];
			for (const kind of ['interrupt', 'NMI'] as const) {
				for (const by of ['steps', 'budget'] as const) {
					for (let at = 0; at < trace.borders.length; at++) {
						const found = sequence.interrupted({kind, by, count: at}, trace);
						if (found === undefined) break;
						interrupts++;
						if (found.length > 0) wrong.push(`${kind} after ${at} ${by}: ${found.slice(0, 3).join(', ')}`);
					}
				}
			}
			findings.add(wrong.slice(0, 3), () => `sequence ${number}, ${mode.name} ${names.join(' ')}`);
		}
		return findings.result({interrupts});
	},
};
