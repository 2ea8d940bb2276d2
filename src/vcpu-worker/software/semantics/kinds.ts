import type {Width} from '#support/wasm';
import {bits} from './bits.ts';
import {control} from './control.ts';
import {integer} from './integer.ts';
import {locked} from './locked.ts';
import {mmxMeanings} from './mmx.ts';
import {moves} from './moves.ts';
import {multiplication} from './multiply.ts';
import type {Meaning} from './operation.ts';
import {shifts} from './shifts.ts';
import {stackJumps, stackMeanings} from './stack.ts';
import {strings} from './strings.ts';
import {classChanges, systemJumps, systemMeanings} from './system.ts';
import {vectorMeanings, wideMeanings} from './vector.ts';
import {requireVex, vexMeanings} from './vex.ts';
import {x87Meanings} from './x87.ts';

/**
 * Form of a step's address: base and displacement; with index and segment; the same within 32 or 16 bits; or as a step before
 * has left it.
 */
export type AddressForm = 'base' | 'indexed' | 'within32' | 'within16' | 'kept';

/** Bits of what a step works on. */
export type StepWidth = Width | 128 | 256;

/** A kind of step: what the interpreter has an arm for. */
export interface Kind {
	/** Name, width, and form of address, as `load.32.base`. */
	readonly key: string;
	readonly meaning: Meaning;
	readonly width: StepWidth;
	readonly form: AddressForm | undefined;
	/** Its arm is within the interpreter's loop, as one that jumps must be. V8 takes long to optimise a large loop. */
	readonly isHot: boolean;
	/** It may go on elsewhere; its record's `c` says where that has been found. */
	readonly isJump: boolean;
	/** Behind it accesses go by other entries of the TLB. */
	readonly changesClass: boolean;
	/** Code never goes on behind it: it is the last step of a block. */
	readonly isLast: boolean;
}

/** Meanings by the names that decoding gives to steps. */
const meanings: Readonly<Record<string, Meaning>> = {
	...integer,
	...shifts,
	...bits,
	...multiplication,
	...moves,
	...locked,
	...stackMeanings,
	...control,
	...strings,
	...vexMeanings,
	requireVex,
	...vectorMeanings,
	...mmxMeanings,
	...x87Meanings,
	...systemMeanings,
};

const all = [8, 16, 32, 64] as const;
const words = [16, 32, 64] as const;
const anyAddress: readonly AddressForm[] = ['base', 'indexed', 'kept'];
const computed: readonly AddressForm[] = ['base', 'indexed', 'within32', 'within16'];

/** Widths of the steps that have others than 64 bits. */
const widths: Readonly<Record<string, readonly StepWidth[]>> = {
	...named('add or adc sbb and sub xor cmp test inc dec neg not xadd cmpxchg xchg mov', all),
	...named('shl shr sar rol ror rcl rcr mul imulWide div idiv crc32', all),
	...named('shld shrd bt bts btr btc bsf bsr tzcnt lzcnt popcnt imul cwd cmov lea bitOffset movbe bswap', words),
	...named('load loadForWrite store storeLocked exchangeLocked addLocked', all),
	...named('loop loope loopne jcxz loopNarrow loopeNarrow loopneNarrow jcxzNarrow jmpTo', words),
	...Object.fromEntries(
		Object.keys(stackMeanings).map((name) => [name, name.endsWith('Segmented') ? [16, 32] : [16, 64]] as const),
	),
	...named('keepToRead keepToWrite', [...all, 128, 256]),
	...Object.fromEntries(
		Object.keys(vectorMeanings).map((name) => [name, wideMeanings.has(name) ? [128, 256] : [128]] as const),
	),
	...named('broadcast', all),
	...named('zeroExtend moveElement', [32, 64]),
	...named('maskedStore', [64, 128]),
	...named('insert extract', all),
	...named('adcx adox', [32, 64]),
	...named('cvtsi2ss cvtsi2sd cvtss2si cvtsd2si cvttss2si cvttsd2si', [32, 64]),
	...Object.fromEntries(Object.keys(vexMeanings).map((name) => [name, [32, 64] as const])),
	...named('cmpxchgPair', [32, 64]),
	...named('setcc lahf sahf', [8]),
	...named('movzx8 movsx8', words),
	...named('movzx16 movsx16', [32, 64]),
	...named('movs stos lods scas cmps', all),
	...named('movsRepeated stosRepeated lodsRepeated', all),
	...named('scasWhileEqual scasWhileUnequal cmpsWhileEqual cmpsWhileUnequal', all),
};

const forms: Readonly<Record<string, readonly AddressForm[]>> = {
	load: anyAddress,
	loadForWrite: ['indexed', 'kept'],
	store: anyAddress,
	keep: ['indexed', 'within32', 'within16'],
	keepToRead: ['within32', 'within16'],
	keepToWrite: ['within32', 'within16'],
	lea: computed,
	loadVector: anyAddress,
	maskedStore: ['kept'],
	...Object.fromEntries(
		['maskedStore32', 'maskedStore64', 'maskedLoad32', 'maskedLoad64'].map((name) => [name, ['kept']]),
	),
	loadVectorAligned: anyAddress,
	storeVector: anyAddress,
	storeVectorAligned: anyAddress,
};

const hot = new Set(
	(
		'add or adc sbb and sub xor cmp test inc dec mov shl shr sar movzx8 movzx16 movsx8 movsx32 cmov setcc lea load store push ' +
		'pop imul bt loadForWrite loadVector loadVectorAligned storeVector storeVectorAligned moveVector pxor'
	).split(' '),
);

const last = new Set(['next', 'forward', 'jmp', 'jmpTo', 'gone', ...stackJumps, ...systemJumps]);

/** Kinds, in the order of their numbers. */
export const kinds: readonly Kind[] = Object.entries(meanings).flatMap(([name, meaning]) => {
	const isJump = name in control || stackJumps.has(name.replace('Segmented', ''));
	const isHot = isJump || hot.has(name);
	const isLast = last.has(name.replace(/Segmented|Narrow/, ''));
	return (widths[name] ?? [64 as const]).flatMap((width) =>
		(forms[name] ?? [undefined]).map((form) => ({
			key: `${name}.${width}${form === undefined ? '' : `.${form}`}`,
			...{meaning, width, form, isHot: isHot && width !== 256, isJump, isLast, changesClass: classChanges.has(name)},
		})),
	);
});

/** The step that leaves the interpreter, for TypeScript to carry out the instruction. */
export const systemKind = kinds.length;
/** Leads a block that has no translation, and counts how often it is executed: its constant is what is left. */
export const heatKind: number = systemKind + 1;
/** Leads a block that has one: `a` is its number, `b` and `c` what it is given. */
export const enterKind: number = systemKind + 2;

const numbers = new Map(kinds.map(({key}, number) => [key, number]));

/** Number of a kind. */
export function kindNumber(key: string): number {
	const number = numbers.get(key);
	if (number === undefined) throw new RangeError(`no step is called ${key}`);
	return number;
}

function named(names: string, of: readonly StepWidth[]): Record<string, readonly StepWidth[]> {
	return Object.fromEntries(names.split(' ').map((name) => [name, of]));
}
