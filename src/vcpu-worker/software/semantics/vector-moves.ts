import {type Int, i32, splat, type Vector, type Width} from '#support/wasm';
import type {Half, Meaning, Operation} from './operation.ts';

const generalProtection = 13;
const halfBytes = 16;
const pageBytes = 4096;
/** Bits of MXCSR that are reserved (SDM volume 1, 10.2.3). */
const reservedControl = ~0xffff;

/** The address of an operand, which must be a multiple of its size (SDM volume 2, 2.4). */
function alignedAddress(op: Operation) {
	const address = op.f.let(op.address());
	op.f.if(address.toI32().and(op.halves.length * halfBytes - 1), () => op.raise(generalProtection));
	return address;
}

const addressOf = (op: Operation) => op.f.let(op.address());
const behind = (address: Int<'i64'>, half: Half) => (half === 0 ? address : address.add(half * halfBytes));

/** Reads all of a vector before anything changes. */
function load(op: Operation, address: Int<'i64'>): void {
	const values = op.halves.map((half) => op.f.letVector(op.loadVectorMemory(behind(address, half))));
	for (const half of op.halves) op.writeVector('a', values[half] as Vector, half);
}

/** Writes a vector; of two pages both have to allow it before one is written. */
function store(op: Operation, address: Int<'i64'>): void {
	const {f} = op;
	const bytes = op.halves.length * halfBytes;
	if (op.halves.length > 1)
		f.if(
			address
				.toI32()
				.and(pageBytes - 1)
				.gtU(pageBytes - bytes),
			() => {
				for (const at of [address, address.or(pageBytes - 1).add(1)]) f.do(op.loadMemory(f.let(at), 8, true));
			},
		);
	for (const half of op.halves) op.storeVectorMemory(behind(address, half), op.readVector('a', half));
}

/** The element that the constant names, within the vector. */
const elementOf = (op: Operation, width: Width) =>
	op
		.immediate()
		.toI32()
		.and(128 / width - 1);

/** The elements of `a` whose highest bit is set in `b`: when all of them may be written. */
const maskedStore =
	(width: 8 | 32 | 64): Meaning =>
	(op) => {
		const {f} = op;
		const address = f.let(op.address());
		const shape = ({8: 'i8x16', 32: 'i32x4', 64: 'i64x2'} as const)[width];
		const masks = op.halves.map((half) => op.readVector('b', half).reduce(`${shape}.bitmask`));
		const mask = f.let(masks.reduce((low, high) => low.or(high.shl(128 / width))));
		const each = (body: (at: Int<'i64'>, index: Int<'i32'>) => void) => {
			const left = f.let(mask);
			f.block((end) =>
				f.loop((again) => {
					f.brIf(end, left.isZero());
					const index = f.let(left.ctz());
					body(f.let(address.add(index.mul(width / 8).toI64U())), index);
					f.set(left, left.and(left.sub(1)));
					f.br(again);
				}),
			);
		};
		each((at) => f.do(op.loadMemory(at, width, true)));
		each((at, index) => op.storeMemory(at, width, op.readElement('a', width, index)));
	};

/** Moves of whole vectors, and of parts of them. */
export const vectorMoves = {
	/** Leads the first instruction of a block that needs it: in between nothing changes control registers. */
	requireVectors: (op) => op.requirePart('vector'),
	moveVector: (op) => op.writeVector('a', op.readVector('b')),
	loadVector: (op) => load(op, addressOf(op)),
	loadVectorAligned: (op) => load(op, alignedAddress(op)),
	storeVector: (op) => store(op, addressOf(op)),
	storeVectorAligned: (op) => store(op, alignedAddress(op)),
	/** The low element, the rest 0. */
	zeroExtend: (op) => {
		const value = op.f.let(op.read('b').toI64U());
		op.writeVector('a', splat('i64x2', 0));
		op.writeElement('a', 64, i32(0), value);
	},
	/** The low element, in front of what the first source has. */
	moveElement: (op) => op.writeVector('a', op.readVector('c').withLane(op.width, 0, op.read('b'))),
	insert: (op) => {
		const value = op.f.let(op.read('b'));
		op.writeVector('a', op.readVector('c'));
		op.writeElement('a', op.width, elementOf(op, op.width), value);
	},
	extract: (op) => {
		const value = op.readElement('b', op.width, elementOf(op, op.width));
		op.write('a', value, op.width === 64 ? 64 : 32);
	},
	maskedStore: maskedStore(8),
	maskedStore32: maskedStore(32),
	maskedStore64: maskedStore(64),
	loadControl: (op) => {
		const value = op.f.let(op.read('b', 32).toI32());
		op.f.if(value.and(reservedControl), () => op.raise(generalProtection));
		op.setVectorControl(value);
	},
} as const satisfies Record<string, Meaning>;
