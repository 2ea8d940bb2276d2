import {type FunctionBuilder, type Int, i32, type Local, type Memory, ModuleBuilder} from '#support/wasm';
import {PrefixTable} from '#vcpu-worker/software/shared';
import {MicroOp, memoryMap} from '#vcpu-worker/software/state';
import {Check, FormBit, FormWord, Varied} from './form-words.ts';
import {avxCheck, mmxCheck, ownImmediate, type Step, vectorCheck, vexCheck, wordsOf} from './step.ts';

/** Words by which TypeScript and the writer tell each other how far a block is decoded, from `memoryMap.decoding` on. */
export const DecodingWord = {
	/** Offset in the page of the next instruction, where none begins any more, and where its bytes end. */
	at: 0,
	end: 1,
	bytesEnd: 2,
	/** Address of the next record. */
	record: 3,
	/** Instructions that the block has, and most that it may have. */
	ordinal: 4,
	limit: 5,
	/** Checks that have been made: see `Check`. */
	checked: 6,
	/** Where the last instruction begins, and its first record. */
	start: 7,
	first: 8,
	/** The number of the form of the instruction for TypeScript; -1 where none is known. */
	entry: 9,
	/** Greatest address at which the records of one more instruction may begin. */
	last: 10,
} as const;

/** Reason why the writer returns. */
export const Written = {
	/** The block has as much as it may have. */
	full: 0,
	/** The last instruction ends it. */
	ended: 1,
	/** The next instruction's form is not known, or has no records. */
	unknown: 2,
	/** TypeScript carries out the last instruction where its records do not; the block goes on. */
	carried: 3,
	/** The same, and it ends the block. */
	carriedAndEnded: 4,
} as const;

/** What leads the first instruction of a block that asks for it. */
const checks: readonly (readonly [check: number, step: Step])[] = [
	[Check.vex, vexCheck],
	[Check.avx, avxCheck],
	[Check.vectors, vectorCheck],
	[Check.mmx, mmxCheck],
];
const codeAt = memoryMap.code;
const ordinalShift = (MicroOp.offset('ordinal') - MicroOp.offset('kind')) * 8;
const nextShift = (MicroOp.offset('next') - MicroOp.offset('start')) * 8;
/** Numbers of 16 bits that are complements. */
const isEntry = 0x8000;
const operands = ['a', 'b', 'c'] as const;

type Writer = FunctionBuilder<readonly ['i32', 'i32']>;

/**
 * Builds a module whose function `write` writes the records of instructions whose forms are known, as a block has them. All threads have its machine
 * code in common, while V8 optimises TypeScript for each anew. Its imports are the processor's own memory, `state`, and that of the forms, `forms`.
 * Its arguments: the node that instructions of this size of code come from, and whether places in a record itself become addresses. It returns
 * {@link Written}.
 */
export function buildFormWriter(): Uint8Array<ArrayBuffer> {
	const module = new ModuleBuilder();
	const state = module.importMemory('state', {address: 'i32', isShared: true, minimum: 1, maximum: 0x1_0000});
	const {pages} = PrefixTable;
	const forms = module.importMemory('forms', {address: 'i32', isShared: true, minimum: pages, maximum: pages});
	const write = module.function({parameters: ['i32', 'i32'], result: 'i32'});
	writeFunction(write.body, state, forms);
	module.exportFunction('write', write);
	return module.encode();
}

function writeFunction(f: Writer, state: Memory<'i32'>, forms: Memory<'i32'>): void {
	const [root, resolves] = f.parameters;
	const wordAt = (word: keyof typeof DecodingWord) => memoryMap.decoding + DecodingWord[word] * 4;
	const read = (word: keyof typeof DecodingWord) => f.let(state.load('i32', 32, i32(0), wordAt(word)));
	const tell = (word: keyof typeof DecodingWord, value: Int<'i32'>) => f.store(state, 32, i32(0), wordAt(word), value);
	const [at, end, bytesEnd, record] = [read('at'), read('end'), read('bytesEnd'), read('record')];
	const [ordinal, limit, checked, start] = [read('ordinal'), read('limit'), read('checked'), read('start')];
	const last = read('last');
	const [entry, first] = [f.local('i32'), f.local('i32')];
	const returns = (reason: number) => {
		tell('at', at);
		tell('record', record);
		tell('ordinal', ordinal);
		tell('checked', checked);
		tell('start', start);
		tell('first', first);
		tell('entry', entry);
		f.return(i32(reason));
	};
	const formWord = (word: number) => forms.load('i32', 32, form, word * 4);
	const form = f.local('i32');
	f.loop((again) => {
		f.if(ordinal.geS(limit).or(at.geS(end)).or(record.gtU(last)), () => returns(Written.full));
		f.block((unknown) => {
			findEntry(f, {state, forms, root, at, bytesEnd}, entry, () => f.br(unknown));
			const begin = (index: Int<'i32'>) => forms.load('i32', 32, index.shl(2), PrefixTable.places.begins);
			f.set(form, begin(entry).shl(2).add(PrefixTable.places.words));
			const formEnd = f.let(begin(entry.add(1)).shl(2).add(PrefixTable.places.words));
			const flags = f.let(formWord(FormWord.flags));
			const next = f.let(at.add(flags.and(FormBit.LENGTH)));
			f.if(next.gtS(bytesEnd), () => {
				f.set(entry, -1);
				f.br(unknown);
			});
			f.brIf(unknown, flags.and(FormBit.LOWERED).isZero());
			f.set(ordinal, ordinal.add(1));
			const place = f.let(at.or(next.shl(nextShift)));
			const number = f.let(ordinal.shl(ordinalShift));
			const wanted = f.let(flags.shrU(FormBit.CHECKS_SHIFT).and(FormBit.CHECKS).and(checked.not()));
			f.if(wanted, () => {
				for (const [check, step] of checks)
					f.if(wanted.and(check), () => writeStep(f, state, record, step, place, number));
				f.set(checked, checked.or(wanted));
			});
			f.set(first, record);
			f.set(start, at);
			const varying = f.let(form.add(FormWord.varying * 4));
			const steps = f.let(varying.add(formWord(FormWord.count).mul(FormWord.each * 4)));
			copySteps(f, {state, forms, record, resolves}, steps, formEnd, place, number);
			writeVarying(f, {state, forms, at, first}, varying, steps);
			f.set(at, next);
			// It may leave an exception, for which an instruction on MMX registers waits.
			f.if(flags.and(FormBit.X87), () => f.set(checked, checked.and(~Check.mmx)));
			const isLast = f.let(flags.and(FormBit.ENDS_BLOCK));
			f.if(flags.and(FormBit.SYSTEM), () => {
				f.if(isLast, () => returns(Written.carriedAndEnded));
				returns(Written.carried);
			});
			f.brIf(again, isLast.isZero());
			returns(Written.ended);
		});
		returns(Written.unknown);
	});
	f.unreachable();
}

interface Finding {
	readonly state: Memory<'i32'>;
	readonly forms: Memory<'i32'>;
	readonly root: Local<'i32'>;
	readonly at: Local<'i32'>;
	readonly bytesEnd: Local<'i32'>;
}

/** Finds the number to which the bytes lead. None lies deeper than an instruction is long. */
function findEntry(
	f: Writer,
	{state, forms, root, at, bytesEnd}: Finding,
	entry: Local<'i32'>,
	unknown: () => void,
): void {
	const node = f.let(root);
	const byte = f.let(at);
	f.set(entry, -1);
	f.loop((deeper) => {
		f.if(byte.geS(bytesEnd), unknown);
		const index = node.shl(8).or(state.load('i32', 8, byte, codeAt));
		// What others say before they give its number is read behind it.
		f.set(node, forms.atomicLoad('i32', 16, index.shl(1), PrefixTable.places.next));
		f.set(byte, byte.add(1));
		f.if(node.isZero(), unknown);
		f.brIf(deeper, node.ltU(isEntry));
	});
	f.set(entry, node.xor(0xffff));
}

/** Writes the record of a step that has no operands. */
function writeStep(
	f: Writer,
	state: Memory<'i32'>,
	record: Local<'i32'>,
	step: Step,
	place: Int<'i32'>,
	number: Int<'i32'>,
): void {
	for (const [word, value] of wordsOf(step).entries()) f.store(state, 32, record, word * 4, i32(value));
	f.store(state, 32, record, MicroOp.offset('kind'), number.or(step.kind));
	f.store(state, 32, record, MicroOp.offset('start'), place);
	f.set(record, record.add(MicroOp.size));
}

interface Copying {
	readonly state: Memory<'i32'>;
	readonly forms: Memory<'i32'>;
	readonly record: Local<'i32'>;
	readonly resolves: Local<'i32'>;
}

/** Writes the records of a form's steps, but for what varies. */
function copySteps(
	f: Writer,
	{state, forms, record, resolves}: Copying,
	begin: Int<'i32'>,
	end: Int<'i32'>,
	place: Int<'i32'>,
	number: Int<'i32'>,
): void {
	const from = f.let(begin);
	f.block((done) => {
		f.loop((again) => {
			f.brIf(done, from.geU(end));
			for (let half = 0; half < MicroOp.size; half += 16)
				f.storeVector(state, record, half, forms.loadVector(from, half));
			const kind = forms.load('i32', 32, from, MicroOp.offset('kind'));
			f.store(state, 32, record, MicroOp.offset('kind'), kind.or(number));
			f.store(state, 32, record, MicroOp.offset('start'), place);
			f.if(resolves, () => {
				for (const operand of operands) {
					const offset = MicroOp.offset(operand);
					f.if(forms.load('i32', 32, from, offset).eq(ownImmediate), () =>
						f.store(state, 32, record, offset, record.add(MicroOp.offset('immediate'))),
					);
				}
			});
			f.set(from, from.add(MicroOp.size));
			f.set(record, record.add(MicroOp.size));
			f.br(again);
		});
	});
}

interface Varies {
	readonly state: Memory<'i32'>;
	readonly forms: Memory<'i32'>;
	readonly at: Local<'i32'>;
	readonly first: Int<'i32'>;
}

/** Writes the constants that vary, of bytes of the instruction and where it is. */
function writeVarying(f: Writer, {state, forms, at, first}: Varies, begin: Int<'i32'>, end: Int<'i32'>): void {
	const from = f.let(begin);
	const word = (which: keyof typeof FormWord.of) => forms.load('i32', 32, from, FormWord.of[which] * 4);
	f.block((done) => {
		f.loop((again) => {
			f.brIf(done, from.geU(end));
			const how = f.let(word('how'));
			const bytes = f.let(word('bytes'));
			const value = f.let(forms.load('i64', 64, from, FormWord.of.base * 4));
			f.if(bytes, () => {
				const all = state.load('i64', 64, at.add(word('at')), codeAt);
				const unused = f.let(i32(64).sub(bytes.shl(3)).toI64U());
				const high = f.let(all.shl(unused));
				f.set(value, value.add(how.and(Varied.SIGNED).select(high.shrS(unused), high.shrU(unused))));
			});
			f.if(how.and(Varied.RELATIVE), () => f.set(value, value.add(at.toI64U())));
			const target = first.add(word('step').mul(MicroOp.size));
			f.store(state, 64, target, MicroOp.offset('immediate'), value);
			f.set(from, from.add(FormWord.each * 4));
			f.br(again);
		});
	});
}
