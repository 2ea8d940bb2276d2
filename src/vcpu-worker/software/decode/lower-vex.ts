import {type StepWidth, vectorMeanings, wideMeanings} from '#vcpu-worker/software/semantics';
import {CpuState, scratchAt, vectorAt} from '#vcpu-worker/software/state';
import type {Instruction, MemoryOperand, Operand} from './instruction.ts';
import {constantOf, elementWidth, isMemory, lowerVector, narrowest, placeOf, type StepWriter} from './lower-vector.ts';
import {ownImmediate, type Step} from './step.ts';

/** Half of a register, and half of that, in bytes. */
const [half, quarter] = [16, 8] as const;
/** Those that write no vector. */
const withoutVector =
	/^(u?comi|ptest|test|pmovmskb|movmsk|cvtt?s.2si|extract.*|ldmxcsr|stmxcsr|pcmp.stri|maskedStore.*)/;
/** Those whose result has half the bits of their source. */
const narrowing = new Set('cvtpd2ps cvtpd2dq cvttpd2dq'.split(' '));
const firstRegister = vectorAt(0);
const none = CpuState.offset('none');
const keptAddress = CpuState.offset('address');

/** Where the upper half of a result finds its second source, if not in that one's upper half: the count of a shift, elements to be made wider. */
const upperSource: Readonly<Record<string, number>> = {
	...Object.fromEntries('psrlw psrld psrlq psraw psrad psllw pslld psllq'.split(' ').map((name) => [name, 0])),
	...Object.fromEntries(
		Object.entries({bw: 8, bd: 4, bq: 2, wd: 8, wq: 4, dq: 8}).flatMap(([name, bytes]) => [
			[`pmovsx${name}`, bytes],
			[`pmovzx${name}`, bytes],
		]),
	),
	cvtdq2pd: 8,
};
/** FMA's names have the order of operands in them. */
const fusedName = /^(fn?m\D+)(132|213|231)(..)$/;
/** Bits of the constant that are the lower half's alone. */
const constantBits: Readonly<Record<string, bigint>> = {blendps: 4n, blendpd: 2n, shufpd: 2n, mpsadbw: 3n};

/** Makes steps of an instruction with a VEX prefix on vectors; false for one that has none. */
export function lowerVex(instruction: Instruction, to: StepWriter): boolean {
	const {name, operands, operandSize, codeSize, vectorBits: bits} = instruction;
	const [first, second, third, fourth] = operands as [Operand, Operand, Operand | undefined, Operand | undefined];
	const a = placeOf(first);
	const isWhole = bits === 256;
	const [, stem, order, type] = fusedName.exec(name) ?? [];
	const operation = stem === undefined ? name : `${stem}${type}`;
	/** Place of a source, whose memory is loaded. */
	const source = (operand: Operand): number => {
		if (!isMemory(operand)) return placeOf(operand);
		const isVector = operand.width === 128 || operand.width === 256;
		to.access(isVector ? 'loadVector' : 'load', operand, {a: scratchAt(0)});
		return scratchAt(0);
	};
	const move = (target: number, from: number) => to.step('moveVector', 128, {a: target, b: from});
	const moveQuarter = (target: number, from: number) => to.step('mov', 64, {a: target, b: from});
	/** Ends what has written the lower half of a register alone. */
	const clearUpper = (place = a) => to.step('clearVector', 128, {a: place + half});
	/** A step for each half; the upper one first, since the lower one's source may be where it writes. */
	const eachHalf = (step: string, width: StepWidth, fields: Fields) => {
		if (isWhole) to.step(step, width, upperOf(step, fields));
		to.step(step, width, fields);
		if (!isWhole) clearUpper();
	};
	if (name.startsWith('gather')) {
		lowerGather(instruction, to);
		return true;
	}
	switch (name) {
		case 'movdqa':
		case 'movdqu': {
			const kind = name === 'movdqa' ? 'VectorAligned' : 'Vector';
			if (isMemory(second)) {
				to.access(`load${kind}`, second, {a});
				if (!isWhole) clearUpper();
			} else if (isMemory(first)) to.access(`store${kind}`, first, {a: placeOf(second)});
			else eachHalf('moveVector', 128, {a, b: placeOf(second)});
			return true;
		}
		case 'movLow':
		case 'movHigh': {
			if (third === undefined) return lowerVector(instruction, to);
			// From a register they are MOVHLPS and MOVLHPS.
			const isLow = name === 'movLow';
			const value = source(third);
			moveQuarter(scratchAt(0), isLow && !isMemory(third) ? value + quarter : value);
			move(scratchAt(2), placeOf(second));
			moveQuarter(scratchAt(2) + (isLow ? 0 : quarter), scratchAt(0));
			move(a, scratchAt(2));
			clearUpper();
			return true;
		}
		case 'movScalar':
			if (third === undefined) {
				lowerVector(instruction, to);
				if (!isMemory(first)) clearUpper();
				return true;
			}
			to.step('moveElement', narrowest(first, third), {a, b: placeOf(third), c: placeOf(second)});
			clearUpper();
			return true;
		case 'zeroExtend':
			lowerVector(instruction, to);
			if (!isMemory(first)) clearUpper();
			return true;
		case 'insert':
		case 'insertByte':
		case 'insertWord': {
			const value = third as Operand;
			const fields = {a, b: source(value), c: placeOf(second), immediate: constantOf(fourth)};
			to.step('insert', elementWidth(name, value), fields);
			clearUpper();
			return true;
		}
		case 'insertps': {
			// The source's element is one of a register's; in memory there is one.
			const mask = isMemory(third) ? 0x3fn : 0xffn;
			const fields = {a, b: source(third as Operand), c: placeOf(second), immediate: constantOf(fourth) & mask};
			to.step(name, 128, fields);
			clearUpper();
			return true;
		}
		case 'cvtsi2ss':
		case 'cvtsi2sd':
			to.step(name, operandSize, {a, b: source(third as Operand), c: placeOf(second)});
			clearUpper();
			return true;
		case 'blendvps':
		case 'blendvpd':
		case 'pblendvb': {
			const [b, c] = [source(third as Operand), placeOf(fourth)];
			const result = scratchAt(4);
			for (const at of isWhole ? [half, 0] : [0]) {
				move(result, placeOf(second) + at);
				to.step(name, 128, {a: result, b: b + at, c: c + at});
				// The mask may be where the result goes.
				move(a + at, result);
			}
			if (!isWhole) clearUpper();
			return true;
		}
		case 'pcmpestrm':
		case 'pcmpistrm':
			lowerVector(instruction, to);
			clearUpper(firstRegister);
			return true;
		case 'zeroUppers':
		case 'zeroAll': {
			const registers = codeSize === 64 ? 16 : 8;
			to.step('clearUppers', 128, {a: firstRegister, scale: registers > 8 ? 1 : 0});
			if (name === 'zeroAll')
				for (let register = 0; register < registers; register++) to.step('clearVector', 128, {a: vectorAt(register)});
			return true;
		}
		case 'broadcast':
			eachHalf(name, second.kind === 'relative' ? 64 : second.width, {a, b: source(second)});
			return true;
		case 'broadcastHalf': {
			const b = source(second);
			for (const at of [half, 0]) move(a + at, b);
			return true;
		}
		case 'permutepd': {
			const b = source(second);
			eachHalf('shufpd', 128, {a, b, c: b, immediate: constantOf(third)});
			return true;
		}
		case 'permq': {
			const b = source(second);
			for (const at of [0, half]) move(scratchAt(4) + at, b + at);
			for (let index = 0; index < 4; index++) {
				const chosen = Number((constantOf(third) >> BigInt(2 * index)) & 3n);
				moveQuarter(a + index * quarter, scratchAt(4) + chosen * quarter);
			}
			return true;
		}
		case 'permHalves': {
			const halves = [placeOf(second), placeOf(second) + half];
			const b = source(third as Operand);
			halves.push(b, b + half);
			const chosen = Number(constantOf(fourth));
			const take = (target: number, control: number) => {
				if ((control & 8) !== 0) to.step('clearVector', 128, {a: target});
				else move(target, halves[control & 3] as number);
			};
			take(scratchAt(4), chosen);
			take(a + half, chosen >> 4);
			move(a, scratchAt(4));
			return true;
		}
		case 'insertHalf': {
			const b = source(third as Operand);
			const isUpper = (constantOf(fourth) & 1n) !== 0n;
			move(a + half, isUpper ? b : placeOf(second) + half);
			move(a, isUpper ? placeOf(second) : b);
			return true;
		}
		case 'extractHalf': {
			const from = placeOf(second) + ((constantOf(third) & 1n) !== 0n ? half : 0);
			if (isMemory(first)) to.access('storeVector', first, {a: from});
			else {
				move(a, from);
				clearUpper();
			}
			return true;
		}
		case 'maskedLoad32':
		case 'maskedLoad64': {
			const memory = third as MemoryOperand;
			to.keep(memory, 'load');
			to.step(name, bits, {a, c: placeOf(second), segment: memory.segment}, 'kept');
			if (!isWhole) clearUpper();
			return true;
		}
		case 'maskedStore32':
		case 'maskedStore64':
			to.storeKept(name, first as MemoryOperand, {a: placeOf(third), b: placeOf(second)});
			return true;
		case 'cvtps2ph': {
			const fields = {b: placeOf(second), immediate: constantOf(third)};
			if (!isMemory(first)) {
				to.step(name, bits, {...fields, a});
				clearUpper();
				return true;
			}
			// The flags of MXCSR stay as they are where memory may not be written.
			for (const at of isWhole ? [0n, 8n] : [0n]) {
				const part: MemoryOperand = {...first, width: 64, displacement: first.displacement + at};
				to.access('loadForWrite', part, {a: scratchAt(0)});
			}
			to.step(name, bits, {...fields, a: scratchAt(2)});
			to.access(isWhole ? 'storeVector' : 'store', first, {a: scratchAt(2)});
			return true;
		}
		case 'permd':
			to.step(name, 128, {a, b: source(third as Operand), c: placeOf(second)});
			return true;
		default:
			if (withoutVector.test(name) && !wideMeanings.has(name)) return lowerVector(instruction, to);
			if (!(operation in vectorMeanings)) return false;
			lowerOperation({...instruction, name: operation}, order, source, to, eachHalf);
			if (wideMeanings.has(operation) && !withoutVector.test(name) && (!isWhole || narrowing.has(name))) clearUpper();
			return true;
	}
}

/** Elements by a vector of indices: each that is read clears its mask, so that what a fault leaves is where the instruction goes on. */
function lowerGather({name, operands, vectorBits, codeSize, addressSize}: Instruction, to: StepWriter): void {
	const [first, memory, last] = operands as [Operand, MemoryOperand, Operand];
	const [a, mask] = [placeOf(first), placeOf(last)];
	const [indexBits = 32, bits = 32] = name.slice('gather'.length).split('x').map(Number);
	const used = (vectorBits / Math.max(indexBits, bits)) * (bits / 8);
	const clearBehind = (place: number) => {
		if (used <= quarter) to.step('mov', 64, {a: place + quarter, b: none});
		if (used <= half) to.step('clearVector', 128, {a: place + half});
	};
	to.step('lea', 64, {a: keptAddress, b: memory.base, c: none, immediate: memory.displacement}, 'indexed');
	to.step(codeSize === 64 ? name : `${name}Segmented`, vectorBits, {
		a,
		b: mask,
		c: memory.index,
		scale: memory.scale,
		segment: memory.segment,
		immediate: addressSize === 64 ? -1n : 0xffff_ffffn,
	});
	clearBehind(mask);
	clearBehind(a);
}

type Fields = Pick<Step, 'a' | 'b'> & Partial<Step>;

/** One that computes a vector, or tells of vectors. */
function lowerOperation(
	{name, operands, vectorBits}: Instruction,
	order: string | undefined,
	source: (operand: Operand) => number,
	to: StepWriter,
	eachHalf: (step: string, width: StepWidth, fields: Fields) => void,
): void {
	const [first, second, third] = operands as [Operand, Operand, Operand | undefined];
	const last = operands.at(-1);
	const immediate = order === undefined ? constantOf(last?.kind === 'immediate' ? last : undefined) : BigInt(order);
	const a = placeOf(first);
	const isCounted = /^ps[lr][la]/.test(name) && third?.kind === 'immediate';
	// With three operands that are no constants the second one is the first source.
	const hasTwo = third !== undefined && third.kind !== 'immediate';
	const b = isCounted ? ownImmediate : source(hasTwo ? third : second);
	const fields = {a, b, c: hasTwo || isCounted ? placeOf(second) : a, immediate};
	if (wideMeanings.has(name)) to.step(name, vectorBits, fields);
	else eachHalf(name, 128, fields);
}

/** The fields of the step for the upper half. */
function upperOf(name: string, {a, b, c, immediate = 0n, ...rest}: Fields): Fields {
	return {
		...rest,
		a: a + half,
		b: b === ownImmediate ? b : b + (name === 'broadcast' ? 0 : (upperSource[name] ?? half)),
		...(c !== undefined && {c: c + half}),
		immediate: immediate >> (constantBits[name] ?? 0n),
	};
}
