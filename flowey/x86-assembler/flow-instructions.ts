import type {Encoder} from './encoder.ts';
import {type LabelExpression, type Memory, type Register, toExpression} from './operands.ts';
import type {Program} from './program.ts';

/** Condition codes of Jcc, SETcc and CMOVcc; SDM volume 2, appendix B.1.4. */
const conditions = {
	o: 0,
	no: 1,
	b: 2,
	c: 2,
	ae: 3,
	nc: 3,
	e: 4,
	z: 4,
	ne: 5,
	nz: 5,
	be: 6,
	a: 7,
	s: 8,
	ns: 9,
	p: 10,
	np: 11,
	l: 12,
	ge: 13,
	le: 14,
	g: 15,
} as const;

type Condition = keyof typeof conditions;
type Target = string | LabelExpression;

/** Jumps, calls and what depends on a condition. */
export type FlowInstructions = Readonly<Record<`j${Condition}`, (target: Target) => void>> &
	Readonly<Record<`set${Condition}`, (target: Register | Memory) => void>> &
	Readonly<Record<`cmov${Condition}`, (target: Register, source: Register | Memory) => void>> & {
		/** Two bytes where the target is near enough, otherwise five. */
		jmp(target: Target | Register | Memory): void;
		call(target: Target | Register | Memory): void;
		/** A short jump that has no near form: the target must be within 127 bytes. */
		loop(target: Target): void;
		ret(): void;
		int(vector: number): void;
		/** Direct far jump with a 32-bit offset; 16-bit and 32-bit code only. */
		farJump(selector: number, target: Target): void;
		/** Far jump through memory: offset, then selector. */
		farJumpThrough(pointer: Memory): void;
	};

export function flowInstructions(encoder: Encoder, program: Program): FlowInstructions {
	const nearSize = (): 2 | 4 => (encoder.bits === 16 ? 2 : 4);
	const jump = (shortOpcode: number, nearOpcode: readonly number[], target: Target): void =>
		program.addJump({target: toExpression(target), shortOpcode, nearOpcode, nearFieldSize: nearSize()});
	const indirect = (extension: number, rm: Register | Memory): void =>
		encoder.emit({opcode: [0xff], size: rm.size, isWideByDefault: true, reg: extension, rm});
	const zeros = (count: number): number[] => new Array(count).fill(0);
	const isTarget = (target: Target | Register | Memory): target is Target =>
		typeof target === 'string' || !('kind' in target);
	const conditional: Record<string, unknown> = {};
	for (const [name, code] of Object.entries(conditions)) {
		conditional[`j${name}`] = (target: Target) => jump(0x70 | code, [0x0f, 0x80 | code], target);
		conditional[`set${name}`] = (rm: Register | Memory) => encoder.emit({opcode: [0x0f, 0x90 | code], size: 8, rm});
		conditional[`cmov${name}`] = (reg: Register, rm: Register | Memory) =>
			encoder.emit({opcode: [0x0f, 0x40 | code], size: reg.size, reg, rm});
	}
	const unconditional = {
		jmp: (target: Target | Register | Memory): void =>
			isTarget(target) ? jump(0xeb, [0xe9], target) : indirect(4, target),
		call: (target: Target | Register | Memory): void => {
			const size = nearSize();
			if (!isTarget(target)) indirect(2, target);
			else {
				const fixup = {offset: 1, size, kind: 'relative', expression: toExpression(target)} as const;
				program.addBytes([0xe8, ...zeros(size)], [fixup]);
			}
		},
		loop: (target: Target): void => {
			const fixup = {offset: 1, size: 1, kind: 'relative', expression: toExpression(target)} as const;
			program.addBytes([0xe2, 0], [fixup]);
		},
		ret: (): void => encoder.emit({opcode: [0xc3], size: 8}),
		int: (vector: number): void => encoder.emit({opcode: [0xcd], size: 8, immediate: {size: 1, value: vector}}),
		farJump: (selector: number, target: Target): void => {
			if (encoder.bits === 64) throw new Error('64-bit code has no direct far jump');
			const prefix = encoder.bits === 16 ? [0x66] : [];
			const fixup = {offset: prefix.length + 1, size: 4, kind: 'absolute', expression: toExpression(target)} as const;
			program.addBytes([...prefix, 0xea, 0, 0, 0, 0, selector & 0xff, selector >> 8], [fixup]);
		},
		farJumpThrough: (pointer: Memory): void => encoder.emit({opcode: [0xff], size: pointer.size, reg: 5, rm: pointer}),
	};
	return {...conditional, ...unconditional} as unknown as FlowInstructions;
}
