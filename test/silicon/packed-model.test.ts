/** Packed integers in MMX and XMM registers, as the manual's operation sections have them, against the host's processor. */
import test from 'ava';
import {siliconObstacle} from './host-processor.ts';
import {mmxForms} from './mmx-forms.ts';
import {noVector} from './processor-state.ts';
import {describeCase, Silicon, type SiliconCase} from './silicon.ts';
import {sseForms} from './sse-forms.ts';

const onSilicon = siliconObstacle() === undefined ? test.serial : test.serial.skip;

/** On lanes of `bits`, sign-extended where `isSigned`. */
interface Model {
	readonly bits: number;
	readonly isSigned: boolean;
	readonly each: (a: bigint, b: bigint) => bigint;
}
const clamp = (value: bigint, bits: number, isSigned: boolean): bigint => {
	const largest = isSigned ? (1n << BigInt(bits - 1)) - 1n : (1n << BigInt(bits)) - 1n;
	const smallest = isSigned ? -largest - 1n : 0n;
	return value > largest ? largest : value < smallest ? smallest : value;
};
const widths = {b: 8, w: 16, d: 32, q: 64} as const;
type Width = keyof typeof widths;
const models: Record<string, Model> = {};
const define = (
	name: string,
	codes: string,
	isSigned: boolean,
	each: (a: bigint, b: bigint, bits: number) => bigint,
) => {
	for (const code of codes as Iterable<Width>) {
		const bits = widths[code];
		models[name + code] = {bits, isSigned, each: (a, b) => each(a, b, bits)};
	}
};
define('padd', 'bwdq', false, (a, b) => a + b);
define('psub', 'bwdq', false, (a, b) => a - b);
define('padds', 'bw', true, (a, b, bits) => clamp(a + b, bits, true));
define('psubs', 'bw', true, (a, b, bits) => clamp(a - b, bits, true));
define('paddus', 'bw', false, (a, b, bits) => clamp(a + b, bits, false));
define('psubus', 'bw', false, (a, b, bits) => clamp(a - b, bits, false));
define('pcmpeq', 'bwd', false, (a, b) => (a === b ? -1n : 0n));
define('pcmpgt', 'bwd', true, (a, b) => (a > b ? -1n : 0n));
define('pmaxu', 'b', false, (a, b) => (a > b ? a : b));
define('pminu', 'b', false, (a, b) => (a < b ? a : b));
define('pmaxs', 'w', true, (a, b) => (a > b ? a : b));
define('pmins', 'w', true, (a, b) => (a < b ? a : b));
define('pavg', 'bw', false, (a, b) => (a + b + 1n) >> 1n);
define('pmull', 'w', true, (a, b) => a * b);
define('pmulh', 'w', true, (a, b) => (a * b) >> 16n);
// Counts beyond the width leave nothing, or the sign; the count is 64 bits, the same for all lanes.
const shifted = (name: string, codes: string, isSigned: boolean, each: (a: bigint, count: bigint) => bigint) =>
	define(name, codes, isSigned, (a, count, bits) => each(a, count > BigInt(bits) ? BigInt(bits) : count));
shifted('psll', 'wdq', false, (a, count) => a << count);
shifted('psrl', 'wdq', false, (a, count) => a >> count);
shifted('psra', 'wd', true, (a, count) => a >> count);

type State = SiliconCase['record']['before'];

/** The 64-bit halves of a register. An MMX register is a physical one of x87, which holds them by their place in the stack. */
function halves({xsave}: State, isXmm: boolean, register: number): bigint[] {
	if (isXmm) return [xsave.xmm[2 * register] as bigint, xsave.xmm[2 * register + 1] as bigint];
	return [xsave.st[((register & 7) - ((xsave.fsw >> 11) & 7)) & 7]?.significand as bigint];
}

function sourceHalves({record: {before}, code}: SiliconCase, isXmm: boolean): bigint[] {
	if (code.rm >= 0) return halves(before, isXmm, code.rm);
	const {memory} = before;
	const view = new DataView(memory.buffer, memory.byteOffset + code.memoryOffset, isXmm ? 16 : 8);
	return Array.from({length: isXmm ? 2 : 1}, (_, index) => view.getBigUint64(8 * index, true));
}

function expected(one: SiliconCase, isXmm: boolean, {bits, isSigned, each}: Model): bigint[] {
	const isShift = one.form.role === 'packedCount';
	const source = sourceHalves(one, isXmm);
	return halves(one.record.before, isXmm, one.code.reg).map((a, index) => {
		let result = 0n;
		for (let at = 0; at < 64; at += bits) {
			const lane = (value: bigint): bigint =>
				isSigned ? BigInt.asIntN(bits, value >> BigInt(at)) : BigInt.asUintN(bits, value >> BigInt(at));
			const b = isShift ? (source[0] as bigint) : lane(source[index] as bigint);
			result |= BigInt.asUintN(bits, each(lane(a), b)) << BigInt(at);
		}
		return result;
	});
}

onSilicon(
	'packed integers in MMX and XMM registers are what the manual says; MMX empties no tag and puts TOP to zero',
	(t) => {
		const forms = [...sseForms, ...mmxForms].filter(
			({mnemonic, rm}) => mnemonic in models && rm?.kind !== 'U' && rm?.kind !== 'N',
		);
		const compared = new Map<string, number>();
		using silicon = new Silicon();
		for (const batch of silicon.batches({seed: 19, count: 200 * forms.length, forms})) {
			for (const one of batch) {
				const {after} = one.record;
				if (after.vector !== noVector) continue;
				const isXmm = one.form.unit === 'sse';
				const want = expected(one, isXmm, models[one.form.mnemonic] as Model);
				const found = halves(after, isXmm, one.code.reg);
				const hex = (values: readonly bigint[]): string => values.map((value) => value.toString(16)).join(' ');
				if (hex(found) !== hex(want)) return t.fail(`${hex(found)}, not ${hex(want)}: ${describeCase(one)}`);
				const {fsw, ftw, st} = after.xsave;
				const isMmxState = ftw === 0xff && (fsw & 0x3800) === 0 && st[one.code.reg & 7]?.signExponent === 0xffff;
				if (!isXmm && !isMmxState) return t.fail(`FSW is ${fsw.toString(16)}, FTW ${ftw}: ${describeCase(one)}`);
				compared.set(one.form.name, (compared.get(one.form.name) ?? 0) + 1);
			}
		}
		t.is(forms.length, 2 * Object.keys(models).length);
		t.deepEqual(
			forms.filter(({name}) => (compared.get(name) ?? 0) < 100).map(({name}) => name),
			[],
		);
	},
);
