import {al, ax, cl, cx, eax, ecx, type Register, rax, rcx} from '#flowey/x86-assembler';
import type {CaseView} from './host-processor.ts';
import {flagBits, integerModels, type Model, type Width} from './integer-model.ts';
import {fixedRflags, generalRegisters, Rflags} from './processor-state.ts';
import {Random} from './random.ts';
import {assembled, hostProcessor, onSilicon, prepareCase} from './silicon-test.ts';

type Name = keyof typeof integerModels;
const pairs = ['add', 'adc', 'sub', 'sbb', 'cmp', 'and', 'or', 'xor', 'test'] as const satisfies readonly Name[];
const singles = ['inc', 'dec', 'neg', 'not'] as const satisfies readonly Name[];
const shifts = ['shl', 'shr', 'sar', 'rol', 'ror', 'rcl', 'rcr'] as const satisfies readonly Name[];

/** Destination and source by width. */
const operands: Readonly<Record<Width, readonly [target: Register, source: Register]>> = {
	8: [al, cl],
	16: [ax, cx],
	32: [eax, ecx],
	64: [rax, rcx],
};
const widths: readonly Width[] = [8, 16, 32, 64];

const isOne = <K extends string>(names: readonly K[], name: string): name is K =>
	(names as readonly string[]).includes(name);

function instruction(name: Name, width: Width): Uint8Array {
	const [target, source] = operands[width];
	return assembled((asm) => {
		if (isOne(pairs, name)) asm[name](target, source);
		else if (isOne(singles, name)) asm[name](target);
		else if (isOne(shifts, name)) asm[name](target, cl);
		else if (name === 'imul') asm.imul(target, source);
		else asm.bytes(...(width === 16 ? [0x66] : []), 0xf3, ...(width === 64 ? [0x48] : []), 0x0f, 0xb8, 0xc1);
	});
}

/** Writes of 32 bits clear the upper half of a register, narrower ones leave what is above them. */
const registerAfter = (before: bigint, result: bigint, width: Width): bigint =>
	width >= 32 ? result : (before & ~((1n << BigInt(width)) - 1n)) | result;

const statusBits = Rflags.CF | Rflags.PF | Rflags.AF | Rflags.ZF | Rflags.SF | Rflags.OF;
const edges = [0n, 1n, 2n, 7n, 8n, 9n, 15n, 16n, 17n, 31n, 32n, 33n, 63n, 64n, 0x7fn, 0x80n, 0xffn];
const interesting = [...edges, ...widths.flatMap((width) => [-1n, 0n, 1n].map((by) => (1n << BigInt(width - 1)) + by))];

function compare(name: Name, width: Width, random: Random): void {
	const {cases} = hostProcessor();
	const bytes = instruction(name, width);
	for (const record of cases) {
		prepareCase(record, bytes);
		const {gpr} = record.before;
		for (const index of [0, 1]) gpr[index] = random.oneIn(2) ? random.pick(interesting) : random.u64();
		record.before.rflags = BigInt(fixedRflags | (random.u32() & statusBits));
	}
	hostProcessor().run(cases.length);
	for (const record of cases) check(record, name, width);
}

function check({before, after}: CaseView, name: Name, width: Width): void {
	const [a, b] = [before.gpr[0] as bigint, before.gpr[1] as bigint];
	const flagsBefore = Number(before.rflags);
	const carry = (flagsBefore & Rflags.CF) !== 0;
	const model: Model = integerModels[name];
	const {result, flags} = model(BigInt.asUintN(width, a), BigInt.asUintN(width, b), width, carry);
	const {known, set} = flagBits(flags);
	const found = [after.gpr[0], Number(after.rflags) & known, after.gpr[1]];
	const expected = [result === undefined ? a : registerAfter(a, result, width), set, b];
	const isSame = found.every((value, index) => value === expected[index]);
	if (!isSame) {
		const operandsText = `${a.toString(16)}, ${b.toString(16)}, flags ${flagsBefore.toString(16)}`;
		throw new Error(`${name} of ${width} bits on ${operandsText}: ${hex(found)}, not ${hex(expected)}`);
	}
}

const hex = (values: readonly (bigint | number | undefined)[]): string =>
	values.map((value) => value?.toString(16)).join(' ');

for (const name of Object.keys(integerModels) as Name[]) {
	onSilicon(`the host's ${name} does what the manual says, with all flags that it defines`, (t) => {
		const random = new Random(9);
		for (const width of widths) {
			if (width === 8 && (name === 'imul' || name === 'popcnt')) continue;
			t.notThrows(() => compare(name, width, random));
		}
	});
}

onSilicon('an instruction touches no register but its own', (t) => {
	const {cases} = hostProcessor();
	const [record] = cases as [CaseView];
	prepareCase(record, instruction('add', 64));
	for (const index of generalRegisters.keys()) record.before.gpr[index] = BigInt(index + 1);
	hostProcessor().run(1);
	t.deepEqual([...record.after.gpr], [3n, ...Array.from({length: 15}, (_, index) => BigInt(index + 2))]);
});
