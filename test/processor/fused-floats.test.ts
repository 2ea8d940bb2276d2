import test from 'ava';
import {
	CaseRecord,
	chooseMxcsr,
	type Element,
	formsOfHost,
	HostProcessor,
	noVector,
	Random,
	siliconObstacle,
	writeElements,
} from '#test/silicon';
import {exitCode, microKernel} from '#test/tmk';
import {FloatUnit, floatOperation} from '#vcpu-worker/software/float';
import {kindNumber} from '#vcpu-worker/software/semantics';
import {CpuState, MicroOp, vectorAt} from '#vcpu-worker/software/state';
import {startKernel} from './guest-processor.ts';

/** Instructions of a VEX prefix on XMM registers by the name of their operation, and the order of operands that the operation has. */
interface Encoding {
	readonly name: string;
	readonly element: Element;
	readonly bytes: (constant: number) => readonly number[];
	/** Numbers of the registers whose values are multiplied, and added; of a conversion, the source's in the second place. */
	readonly order: readonly [number, number, number];
	readonly feature: string;
}

/** Of XMM0, XMM1 (which VEX.vvvv names) and XMM2 (which ModRM.rm names). */
const vex = (map: number, w: 0 | 1, opcode: number, register: number, modRm: number): number[] => [
	...[0xc4, 0xe0 | map, (w << 7) | ((~register & 15) << 3) | 1],
	...[opcode, modRm],
];
const registers = 0xc2;
const orders = {132: [0, 2, 1], 213: [1, 0, 2], 231: [1, 2, 0]} as const;

const fused: readonly Encoding[] = Object.entries(orders).flatMap(([digits, order], index) =>
	(
		['fmaddsub', 'fmsubadd', 'fmadd', 'fmadd', 'fmsub', 'fmsub', 'fnmadd', 'fnmadd', 'fnmsub', 'fnmsub'] as const
	).flatMap((operation, number) =>
		(['s', 'd'] as const).map((size): Encoding => {
			const isScalar = number >= 2 && number % 2 === 1;
			const opcode = 0x96 + 16 * index + number;
			return {
				name: `${operation}${isScalar ? 's' : 'p'}${size}`,
				element: size === 's' ? 'single' : 'double',
				bytes: () => vex(2, size === 's' ? 0 : 1, opcode, 1, registers),
				order: order as unknown as Encoding['order'],
				feature: `fma ${digits}`,
			};
		}),
	),
);

const conversions: readonly Encoding[] = [
	{
		name: 'cvtph2ps',
		element: 'integer',
		bytes: () => vex(2, 0, 0x13, 0, registers),
		order: [2, 2, 2],
		feature: 'f16c',
	},
	{
		name: 'cvtps2ph',
		element: 'single',
		// The destination is what ModRM.rm names.
		bytes: (constant) => [...vex(3, 0, 0x1d, 0, 0xd0), constant],
		order: [2, 2, 2],
		feature: 'f16c',
	},
];

const isOfHost = ({feature}: Encoding) => formsOfHost([{feature: feature.split(' ')[0]}] as never).length > 0;
const encodings = siliconObstacle() === undefined ? [...fused, ...conversions].filter(isOfHost) : [];
const onSilicon = encodings.length > 0 ? test.serial : test.serial.skip;

onSilicon(
	"fused multiplications and conversions of halves are, with their exceptions, what the host's processor says",
	(t) => {
		const batch = 1024;
		const count = 60 * batch;
		using host = new HostProcessor(batch);
		const memory = new SharedArrayBuffer(CpuState.size);
		const state = CpuState.on(memory);
		state.cr4 = 0x600n;
		const unit = new FloatUnit(memory);
		const random = new Random(1);
		const ran = new Map<string, number>();
		for (let first = 0; first < count; first += batch) {
			const made = host.cases.map((record) => {
				const encoding = random.pick(encodings);
				const constant = random.below(8);
				CaseRecord.reset(record);
				const bytes = encoding.bytes(constant);
				host.setCode(record, bytes, [bytes.length]);
				const {xsave} = record.before;
				const words = new Uint32Array(4);
				for (let register = 0; register < 3; register++) {
					writeElements(words, 0, 4, encoding.element, random);
					xsave.xmm.set(new BigUint64Array(words.buffer), 2 * register);
				}
				xsave.mxcsr = chooseMxcsr(random);
				return {record, encoding, constant};
			});
			host.run(batch);
			for (const {record, encoding, constant} of made) {
				const {before, after} = record;
				const values = (register: number) => [...before.xsave.xmm.subarray(2 * register, 2 * register + 2)];
				state.mxcsr = before.xsave.mxcsr;
				state.floatOperands.set(encoding.order.flatMap(values));
				const vector = unit.compute(floatOperation(encoding.name), constant);
				const isScalar = encoding.name.endsWith('ss') || encoding.name.endsWith('sd');
				const bits = encoding.name.endsWith('ss') ? 32 : isScalar ? 64 : 128;
				const low = (words: Iterable<bigint>) => {
					const [one = 0n, two = 0n] = words;
					return BigInt.asUintN(bits, one | (two << 64n)).toString(16);
				};
				const found = vector === 0 ? low(state.floatResult) : `exception ${vector}`;
				const wanted = after.vector === noVector ? low(after.xsave.xmm.subarray(0, 2)) : `exception ${after.vector}`;
				const [foundFlags, wantedFlags] = [state.mxcsr, after.xsave.mxcsr];
				if (found !== wanted || foundFlags !== wantedFlags) {
					const text = [0, 1, 2].map((register) => values(register).map((word) => word.toString(16)));
					t.fail(
						`${encoding.name} ${encoding.feature} ${text.join(' ')} MXCSR ${before.xsave.mxcsr.toString(16)} constant ${constant}: ` +
							`${found} ${foundFlags.toString(16)}, not ${wanted} ${wantedFlags.toString(16)}`,
					);
					return;
				}
				ran.set(`${encoding.name} ${encoding.feature}`, (ran.get(`${encoding.name} ${encoding.feature}`) ?? 0) + 1);
			}
		}
		t.is(ran.size, encodings.length);
	},
);

/** ADDPD XMM0, XMM1, whose step becomes another one. */
const addition = Uint8Array.of(0x66, 0x0f, 0x58, 0xc1);
const fusedNames = [...new Set(fused.map(({name}) => name))];
const masked = 0x1f80;
const inexact = 0x20;
const orderNumbers = [132, 213, 231] as const;

/** A processor that executes a step of these, and what exact arithmetic says of the same. */
function makeComparison(fuses: 0 | 1) {
	const {core} = startKernel(microKernel('none', (_asm, {exit}) => exit(exitCode.ok))).processor;
	const {state} = core;
	state.cr4 = 0x620n;
	state.fusesProducts = fuses;
	const check = core.write(core.decode(addition, 0, {limit: 1}));
	const step = MicroOp.on(core.memory, check + MicroOp.size);
	Object.assign(step, {a: vectorAt(0), b: vectorAt(1), c: vectorAt(2)});
	const memory = new SharedArrayBuffer(CpuState.size);
	const other = CpuState.on(memory);
	const unit = new FloatUnit(memory);
	const run = (name: string, values: readonly (readonly bigint[])[], mxcsr: number, constant: number) => {
		step.kind = kindNumber(`${name}.128`);
		step.immediate = BigInt(constant);
		for (const [register, value] of values.entries()) state.vector256.set(value, 4 * register);
		state.mxcsr = other.mxcsr = mxcsr;
		state.budget = 10;
		core.run(check + MicroOp.size);
		// Of VEX.vvvv the register is the third one here, and of ModRM.rm the second.
		const order = {132: [0, 1, 2], 213: [2, 0, 1], 231: [2, 1, 0]}[constant] ?? [1, 1, 1];
		other.floatOperands.set(order.flatMap((register) => values[register] ?? []));
		unit.compute(floatOperation(name), constant);
		const bits = name.endsWith('ss') ? 32 : name.endsWith('sd') ? 64 : 128;
		const wide = ([one = 0n, two = 0n]: Iterable<bigint>) => one | (two << 64n);
		const kept = wide(values[0] ?? []) >> BigInt(bits);
		return {
			found: [state.mxcsr, wide(state.vector256.subarray(0, 2))],
			wanted: [other.mxcsr, (kept << BigInt(bits)) | BigInt.asUintN(bits, wide(other.floatResult))],
		};
	};
	return {run, state};
}

onSilicon('a processor finds whether its host fuses', (t) => {
	const {processor} = startKernel(microKernel('none', (_asm, {exit}) => exit(exitCode.ok)));
	t.is(processor.core.state.fusesProducts, encodings.some(({feature}) => feature.startsWith('fma')) ? 1 : 0);
});

/** Singles or doubles of few bits or many, such that products and sums are exact as often as not and often cancel; sometimes any. */
function someNumbers(element: Element, random: Random): readonly bigint[] {
	const words = new Uint32Array(4);
	if (random.oneIn(8)) writeElements(words, 0, 4, element, random);
	else {
		const bits = random.pick([2, 5, 12, 24]);
		const number = () => (random.below(2 ** bits) - 2 ** (bits - 1)) * 2 ** (random.below(5) - 2);
		const array = element === 'single' ? new Float32Array(words.buffer) : new Float64Array(words.buffer);
		for (const index of array.keys()) array[index] = number();
	}
	return [...new BigUint64Array(words.buffer)];
}

test("generated code's fused operations are those of exact arithmetic, whether the host fuses or not", (t) => {
	const count = 8_000;
	for (const fuses of [1, 0] as const) {
		const {run, state} = makeComparison(fuses);
		const random = new Random(2);
		for (let number = 0; number < count; number++) {
			const name = random.pick(fusedNames);
			const element = name.endsWith('s') ? 'single' : 'double';
			const values = [0, 1, 2].map(() => someNumbers(element, random));
			const mxcsr = masked | random.pick([0, inexact, inexact, inexact | 0x8040]);
			const {found, wanted} = run(name, values, mxcsr, random.pick(orderNumbers));
			if (found.some((value, index) => value !== wanted[index]))
				t.deepEqual(found, wanted, `case ${number}: ${name} ${values.join(' ')}`);
		}
		const computed = count - state.exactFloats;
		t.is(computed > count / 3, fuses === 1, `${computed} of ${count} results are WebAssembly's`);
	}
});

test("generated code's conversions of halves are those of exact arithmetic", (t) => {
	const {run, state} = makeComparison(1);
	const random = new Random(3);
	const count = 16_384;
	// All halves, four at a time, among them one that is a number.
	for (let half = 0; half < 2 ** 16; half += 4) {
		const packed = [0n, 1n, 2n, 3n].reduce((sum, index) => sum | ((BigInt(half) + index) << (16n * index)), 0n);
		const {found, wanted} = run(
			'cvtph2ps',
			[
				[0n, 0n],
				[packed, 0n],
			],
			masked,
			0,
		);
		if (found.some((value, index) => value !== wanted[index])) t.deepEqual(found, wanted, `${half.toString(16)}`);
	}
	t.true(state.exactFloats < count / 16 + 1);
	for (let number = 0; number < count; number++) {
		const words = new Uint32Array(4);
		for (const index of words.keys()) {
			// About the middle of two halves, and beside it.
			const exponent = random.oneIn(8) ? random.below(256) : 127 - 16 + random.below(33);
			const rest = random.pick([0, 0x1000, 0xfff, 0x1001, random.below(0x2000)]);
			words[index] = ((random.below(2) << 31) | (exponent << 23) | (random.below(1024) << 13) | rest) >>> 0;
			// The greatest NaNs.
			if (random.oneIn(16)) words[index] = 0x7fff_f000 + random.below(0x1000);
		}
		const source = [...new BigUint64Array(words.buffer)];
		const {found, wanted} = run(
			'cvtps2ph',
			[[0n, 0n], source],
			masked | random.pick([0, inexact]),
			random.pick([0, 4, 1]),
		);
		if (found.some((value, index) => value !== wanted[index])) t.deepEqual(found, wanted, `${source}`);
	}
});
