import {type Int, i32, splat, type Width} from '#support/wasm';
import type {Meaning, Operation} from './operation.ts';

const generalProtection = 13;
/** Bits of MXCSR that are reserved (SDM volume 1, 10.2.3). */
const reservedControl = ~0xffff;

/** The address of an operand, which must be a multiple of 16 (SDM volume 2, 2.4). */
function alignedAddress(op: Operation) {
	const address = op.f.let(op.address());
	op.f.if(address.toI32().and(15), () => op.raise(generalProtection));
	return address;
}

/** The element that the constant names, within the vector. */
const elementOf = (op: Operation, width: Width) =>
	op
		.immediate()
		.toI32()
		.and(128 / width - 1);

/** Moves of 128 bits, and of parts of them. */
export const vectorMoves = {
	/** Leads the first instruction of a block that needs it: in between nothing changes control registers. */
	requireVectors: (op) => op.requirePart('vector'),
	moveVector: (op) => op.writeVector('a', op.readVector('b')),
	loadVector: (op) => op.writeVector('a', op.loadVectorMemory(op.address())),
	loadVectorAligned: (op) => op.writeVector('a', op.loadVectorMemory(alignedAddress(op))),
	storeVector: (op) => op.storeVectorMemory(op.address(), op.readVector('a')),
	storeVectorAligned: (op) => op.storeVectorMemory(alignedAddress(op), op.readVector('a')),
	/** The low element, the rest 0. */
	zeroExtend: (op) => {
		const value = op.f.let(op.read('b').toI64U());
		op.writeVector('a', splat('i64x2', 0));
		op.writeElement('a', 64, i32(0), value);
	},
	/** The low element alone. */
	moveElement: (op) => op.writeElement('a', op.width, i32(0), op.read('b')),
	insert: (op) => op.writeElement('a', op.width, elementOf(op, op.width), op.read('b')),
	extract: (op) => {
		const value = op.readElement('b', op.width, elementOf(op, op.width));
		op.write('a', value, op.width === 64 ? 64 : 32);
	},
	/** The bytes of `a` whose highest bit is set in `b`: when all of them may be written. */
	maskedStore: (op) => {
		const {f} = op;
		const address = f.let(op.address());
		const mask = f.let(op.readVector('b').reduce('i8x16.bitmask'));
		const each = (body: (at: Int<'i64'>, index: Int<'i32'>) => void) => {
			const left = f.let(mask);
			f.block((end) =>
				f.loop((again) => {
					f.brIf(end, left.isZero());
					const index = f.let(left.ctz());
					body(f.let(address.add(index.toI64U())), index);
					f.set(left, left.and(left.sub(1)));
					f.br(again);
				}),
			);
		};
		each((at) => f.do(op.loadMemory(at, 8, true)));
		each((at, index) => op.storeMemory(at, 8, op.readElement('a', 8, index)));
	},
	loadControl: (op) => {
		const value = op.f.let(op.read('b', 32).toI32());
		op.f.if(value.and(reservedControl), () => op.raise(generalProtection));
		op.setVectorControl(value);
	},
} as const satisfies Record<string, Meaning>;
