import test from 'ava';
import {
	type Control,
	compare,
	convert,
	decode,
	double,
	Flag,
	type Format,
	fromInteger,
	single,
	toInteger,
	type Value,
} from './float-model.ts';
import {siliconObstacle} from './host-processor.ts';
import {noVector, Rflags} from './processor-state.ts';
import {describeCase, Silicon, type SiliconCase} from './silicon.ts';
import {x87Forms} from './x87-forms.ts';
import {decodeExtended, type Extended, formats, type X87Answer, x87Binary, x87Root} from './x87-model.ts';
import {Fsw} from './x87-state.ts';

const onSilicon = siliconObstacle() === undefined ? test.serial : test.serial.skip;

const controlOf = (fcw: number): Control => ({
	rounding: (fcw >> 10) & 3,
	flushesToZero: false,
	treatsDenormalsAsZero: false,
});
const wide = formats[3] as Format;
const isTagged = ({xsave: {fsw, ftw}}: SiliconCase['record']['before'], index: number): boolean =>
	((ftw >> ((((fsw >> 11) & 7) + index) & 7)) & 1) === 1;

const otherIndex = ({form, code}: SiliconCase): number => (form.operands[0]?.kind === 'S' ? code.reg & 7 : 1);

/** A number in memory, as x87 loads it; what is told of while it is loaded. */
function fromMemory({record: {before}, code, form}: SiliconCase): X87Answer {
	const {memory} = before;
	const view = new DataView(memory.buffer, memory.byteOffset + code.memoryOffset, 10);
	const {bytes = 0, element} = form.rm ?? {};
	const plain = controlOf(0);
	const asExtended = (bits: bigint, flags: number): X87Answer => {
		const field = Number((bits >> 63n) & 0x7fffn);
		const significand = BigInt.asUintN(63, bits) | (field === 0 ? 0n : 1n << 63n);
		return {value: {significand, signExponent: (Number(bits >> 78n) << 15) | field}, flags, isUp: false};
	};
	if (element === 'extended')
		return {
			value: {significand: view.getBigUint64(0, true), signExponent: view.getUint16(8, true)},
			flags: 0,
			isUp: false,
		};
	if (element === 'integer') {
		const value =
			bytes === 2
				? BigInt(view.getInt16(0, true))
				: bytes === 4
					? BigInt(view.getInt32(0, true))
					: view.getBigInt64(0, true);
		return asExtended(fromInteger(value, wide, plain).bits, 0);
	}
	const [format, bits] = bytes === 4 ? [single, BigInt(view.getUint32(0, true))] : [double, view.getBigUint64(0, true)];
	const value = decode(bits, format, plain);
	const answer = convert(value, format, wide, plain);
	if (value.kind !== 'nan' || value.isQuiet || form.pushes === true) return asExtended(answer.bits, answer.flags);
	// It still signals when it is an operand: loading alone makes it quiet.
	return asExtended(answer.bits & ~(1n << 62n), 0);
}

interface Outcome {
	readonly flags: number;
	readonly conditions: number;
	/** The register that it is in afterwards, and what it holds. */
	readonly register?: {readonly index: number; readonly value: Extended};
	/** An integer or number in memory. */
	readonly memory?: bigint;
	readonly status?: number;
}

const pattern = /^f(i?)(add|mul|sub|subr|div|divr)( to|p)?$/;
const orders = {less: Fsw.C0, equal: Fsw.C3, greater: 0, unordered: Fsw.C0 | Fsw.C2 | Fsw.C3} as const;
const statuses = {less: Rflags.CF, equal: Rflags.ZF, greater: 0, unordered: Rflags.CF | Rflags.ZF | Rflags.PF} as const;

/** undefined where the model does not have the form or the case is one of an empty register. */
function modelled(one: SiliconCase): Outcome | undefined {
	const {
		record: {before},
		form,
	} = one;
	const {fcw, st} = before.xsave;
	const control = controlOf(fcw);
	const isPush = form.pushes === true;
	const other = otherIndex(one);
	const isMemory = form.rm !== undefined;
	const tags = isPush ? !isTagged(before, 7) : isTagged(before, 0) && (isMemory || isTagged(before, other));
	const format = formats[(fcw >> 8) & 3];
	if (!tags || format === undefined) return undefined;
	const top = st[0] as Extended;
	const isLoaded = isMemory && !/^fi?st/.test(form.mnemonic);
	const source: X87Answer = isLoaded ? fromMemory(one) : {value: st[other] as Extended, flags: 0, isUp: false};
	const parts = pattern.exec(form.mnemonic);
	if (parts !== null) {
		const [, , name = '', target] = parts;
		const isReversed = name.endsWith('r');
		const operation = (isReversed ? name.slice(0, -1) : name) as 'add' | 'mul' | 'sub' | 'div';
		const toOther = target !== undefined;
		const [a, b] = toOther ? [source.value, top] : [top, source.value];
		const answer = isReversed
			? x87Binary(operation, b, a, format, control)
			: x87Binary(operation, a, b, format, control);
		const index = target === 'p' ? (other - 1) & 7 : toOther ? other : 0;
		return {...outcomeOf(answer, source), register: {index, value: answer.value}};
	}
	if (form.mnemonic === 'fsqrt') {
		const answer = x87Root(top, format, control);
		return {...outcomeOf(answer), register: {index: 0, value: answer.value}};
	}
	if (form.mnemonic === 'fld' || form.mnemonic === 'fild') {
		const from = isMemory ? source : {value: st[other] as Extended, flags: 0, isUp: false};
		if (!isMemory && !isTagged(before, other)) return undefined;
		return {flags: from.flags, conditions: 0, register: {index: 0, value: from.value}};
	}
	const comparison = /^f(u?)com(i?)p?$/.exec(form.mnemonic);
	if (comparison !== null) {
		const values = [top, source.value].map(decodeExtended);
		const isUnsupported = values.includes(undefined);
		const {order, flags} = isUnsupported
			? ({order: 'unordered', flags: Flag.I} as const)
			: compare(values[0] as Value, values[1] as Value, comparison[1] === '');
		const all = flags | (order === 'unordered' ? 0 : source.flags);
		if (comparison[2] === 'i') return {flags: all, conditions: 0, status: statuses[order]};
		return {flags: all, conditions: orders[order]};
	}
	if (/^fist/.test(form.mnemonic)) {
		const value = decodeExtended(top);
		const bits = 8 * (form.rm?.bytes ?? 0);
		const none = {bits: 1n << BigInt(bits - 1), flags: Flag.I, isUp: false};
		const rounding = form.mnemonic === 'fisttp' ? {...control, rounding: 3} : control;
		const answer = value === undefined ? none : toInteger(value, bits, rounding);
		return {flags: answer.flags, conditions: answer.isUp === true ? Fsw.C1 : 0, memory: answer.bits};
	}
	return undefined;
}

function outcomeOf(answer: X87Answer, source?: X87Answer): Outcome {
	const isNan = decodeExtended(answer.value)?.kind === 'nan';
	// With a NaN as the result, or a division by zero, denormals are not told of.
	const hidesDenormal = isNan || (answer.flags & Flag.Z) !== 0;
	const flags = answer.flags | ((source?.flags ?? 0) & ~(hidesDenormal ? Flag.D : 0));
	return {flags, conditions: answer.isUp ? Fsw.C1 : 0};
}

function wrong(one: SiliconCase, outcome: Outcome): string | undefined {
	const {before, after} = one.record;
	const hex = (value: bigint | number | undefined): string => `${value?.toString(16)}`;
	const conditions = (Fsw.C0 | Fsw.C1 | Fsw.C2 | Fsw.C3) & ~one.mask.fsw;
	const compared = 0x7f | conditions;
	const fsw = (before.xsave.fsw & 0x7f) | outcome.flags | outcome.conditions;
	if ((after.xsave.fsw & compared) !== fsw) return `FSW is ${hex(after.xsave.fsw & compared)}, not ${hex(fsw)}`;
	if (outcome.status !== undefined) {
		const status = Number(after.rflags) & (Rflags.CF | Rflags.PF | Rflags.AF | Rflags.ZF | Rflags.SF | Rflags.OF);
		if (status !== outcome.status) return `flags are ${hex(status)}, not ${hex(outcome.status)}`;
	}
	if (outcome.memory !== undefined) {
		let found = 0n;
		for (let index = (one.form.rm?.bytes ?? 0) - 1; index >= 0; index--)
			found = (found << 8n) | BigInt(after.memory[one.code.memoryOffset + index] as number);
		if (found !== outcome.memory) return `memory is ${hex(found)}, not ${hex(outcome.memory)}`;
	}
	if (outcome.register === undefined) return undefined;
	const {index, value} = outcome.register;
	const found = after.xsave.st[index] as Extended;
	const isSame = found.significand === value.significand && found.signExponent === value.signExponent;
	const text = ({significand, signExponent}: Extended): string => `${hex(signExponent)} ${hex(significand)}`;
	return isSame ? undefined : `ST(${index}) is ${text(found)}, not ${text(value)}`;
}

onSilicon('x87 is what IEEE 754 and the manual say, in all roundings and precisions, with flags and C1', (t) => {
	const forms = x87Forms.filter(
		({mnemonic, inexact}) =>
			inexact === undefined && (pattern.test(mnemonic) || /^f(sqrt|i?ld|u?comi?p?|istt?p?)$/.test(mnemonic)),
	);
	const compared = new Map<string, number>();
	using silicon = new Silicon();
	for (const batch of silicon.batches({seed: 23, count: 300 * forms.length, forms})) {
		for (const one of batch) {
			const {before, after} = one.record;
			if (after.vector !== noVector || (before.xsave.fcw & 0x3f) !== 0x3f) continue;
			const outcome = modelled(one);
			if (outcome === undefined) continue;
			const found = wrong(one, outcome);
			if (found !== undefined) return t.fail(`${found}: ${describeCase(one)}`);
			compared.set(one.form.name, (compared.get(one.form.name) ?? 0) + 1);
		}
	}
	t.deepEqual(
		forms.filter(({name}) => (compared.get(name) ?? 0) < 100).map(({name}) => name),
		[],
	);
});

/** As a double, of numbers that are in its range. */
const toNumber = ({significand, signExponent}: Extended): number =>
	(signExponent >> 15 === 1 ? -1 : 1) * Number(significand) * 2 ** ((signExponent & 0x7fff) - 0x3fff - 63);

/** Results in ST(0), of what was in ST(0) and ST(1). */
const functions: Readonly<Record<string, (x: number, y: number) => number>> = {
	fsin: (x) => Math.sin(x),
	fcos: (x) => Math.cos(x),
	f2xm1: (x) => Math.expm1(x * Math.LN2),
	fpatan: (x, y) => Math.atan2(y, x),
	fyl2xp1: (x, y) => y * Math.log1p(x) * Math.LOG2E,
};

onSilicon('what x87 approximates is near what it is of, so operands are where the manual gives a bound', (t) => {
	const forms = x87Forms.filter(({mnemonic}) => mnemonic in functions);
	const compared = new Map<string, number>();
	using silicon = new Silicon();
	for (const batch of silicon.batches({seed: 29, count: 400 * forms.length, forms})) {
		for (const one of batch) {
			const {before, after} = one.record;
			const operands = before.xsave.st.slice(0, 2);
			const isMissing = operands.some(
				(operand, index) => !isTagged(before, index) || decodeExtended(operand) === undefined,
			);
			const [x, y] = operands.map(toNumber) as [number, number];
			const isOutside = [x, y].some((value) => !(Math.abs(value) > 2 ** -500 && Math.abs(value) < 2 ** 60));
			if (after.vector !== noVector || isMissing || isOutside || (before.xsave.fcw & 0x300) !== 0x300) continue;
			const want = functions[one.form.mnemonic]?.(x, y) as number;
			const found = toNumber(after.xsave.st[0] as Extended);
			if (!(Math.abs(found - want) <= 2 ** -50 * Math.abs(want)))
				return t.fail(`${one.form.mnemonic} of ${x} and ${y} is ${found}, not ${want}: ${describeCase(one)}`);
			compared.set(one.form.mnemonic, (compared.get(one.form.mnemonic) ?? 0) + 1);
		}
	}
	t.deepEqual(
		Object.keys(functions).filter((name) => (compared.get(name) ?? 0) < 50),
		[],
	);
});
