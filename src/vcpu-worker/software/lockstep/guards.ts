import {i32, ModuleBuilder} from '#support/wasm';
import {type Core, compile, importParts, type Translation} from '#vcpu-worker/software/interpreter';
import {differenceWords} from '#vcpu-worker/software/semantics';
import {blockBits, CpuState, entryBits, MicroOp, Stop} from '#vcpu-worker/software/state';

/** A translation that the processor has. */
export interface KnownTranslation {
	readonly number: number;
	readonly translation: Translation;
	/** First records of its blocks. */
	readonly firsts: readonly number[];
	/** Linear address of the block at which it was entered last; undefined where it has not been. */
	entered: bigint | undefined;
	/** How often it is still to be compared before it runs as ever. */
	left: number;
}

/** Has code stop where it would enter a translation that is to be compared, however it comes there: by its block's head or from another translation. */
export class Guards {
	/** Translations that have been entered to be compared. */
	count = 0;
	readonly #core: Core;
	readonly #rounds: number;
	/** By number. */
	readonly #known: (KnownTranslation | undefined)[] = [];
	/** Stands for each that is to be compared. */
	readonly #guard: Translation;
	/** Those of them that are entered for now. */
	readonly #open = new Set<KnownTranslation>();

	/** @param rounds - how often each translation is compared first */
	constructor(core: Core, rounds: number) {
		this.#core = core;
		this.#rounds = rounds;
		this.#guard = core.instantiate(compile(buildGuard()))['0'] as Translation;
		core.guard = (number, translation, firsts) => {
			const known = {number, translation, firsts, entered: undefined, left: this.#rounds};
			this.#known[number] = known;
			return this.#guard;
		};
	}

	/** Lets code enter the translation of a head, until {@link close}; false where none is there. */
	open(head: number): boolean {
		const number = this.#core.translationOf(head);
		const known = number === undefined ? undefined : this.#known[number];
		if (known === undefined || this.#open.has(known)) return false;
		this.#open.add(known);
		if (known.entered === undefined) this.count++;
		known.entered = this.#core.state.codePage + BigInt(this.#core.startOf(head));
		this.#core.translations.set(known.number, known.translation);
		return true;
	}

	/** Has code stop before open ones again, unless they have been compared often enough. @returns those that were */
	close(): readonly KnownTranslation[] {
		const opened = [...this.#open];
		for (const known of opened) {
			known.left--;
			// Its code may have been rewritten meanwhile, and its number be another's.
			const isThere = this.#known[known.number] === known;
			if (isThere && known.left > 0) this.#core.translations.set(known.number, this.#guard);
		}
		this.#open.clear();
		return opened;
	}

	/** Has one be compared once more. @param random - from 0 to less than 1 */
	choose(random: number): void {
		const known = this.#known[Math.floor(random * this.#known.length)];
		if (known === undefined || known.left > 0) return;
		known.left = 1;
		this.#core.translations.set(known.number, this.#guard);
	}
}

/** Builds a function that a translation's place has: it stops as a hot block does, with the head of the block that it was to begin at. */
function buildGuard(): Uint8Array {
	const module = new ModuleBuilder();
	const {state} = importParts(module);
	const func = module.function({parameters: ['i32', 'i32'], result: 'i32'});
	const {body} = func;
	const [table, entry] = body.parameters;
	const block = entry.and((1 << blockBits) - 1);
	const head = state.load('i32', 32, table.add(block.mul(4))).sub(MicroOp.size);
	body.store(state, 32, i32(0), CpuState.offset('record'), head);
	const width = entry.shrU(entryBits);
	body.if(width, () => {
		const operand = (index: number) => state.load('i64', 64, i32(0), CpuState.offset('lateFlags') + index * 8);
		const {result, carry} = differenceWords(body, operand(0), operand(1), width);
		for (const [name, value] of Object.entries({result, zero: result, carry}))
			body.store(state, 64, i32(0), CpuState.offset(name as 'result'), value);
	});
	body.return(i32(Stop.hot));
	module.exportFunction('0', func);
	return module.encode();
}
