import type {Int} from '#support/wasm';
import {add} from './integer.ts';
import type {Meaning, Operation} from './operation.ts';

const accumulator = 0;
const counter = 1;
const data = 2;
const base = 3;

/** Exchanges what the kept address has for a new value; begins the instruction anew where another processor was faster. */
function exchange(op: Operation, newValue: (old: Int) => Int): Int {
	const {f, width} = op;
	const at = f.let(op.keptAddress());
	const old = f.let(op.loadMemory(at, width, true));
	const found = f.let(op.compareExchangeMemory(at, width, old, newValue(old)));
	f.if(found.ne(old), () => op.leaveBefore());
	return old;
}

/**
 * Instructions that change memory by one atomic operation: with LOCK, and XCHG (SDM volume 3, 9.1.2). They load, compute and exchange the
 * result for what they have loaded; where that has changed meanwhile they begin anew, having changed no register.
 */
export const locked = {
	/** Keeps what was loaded (`b`) in `a`, and the carries in `c`. */
	beginLocked: (op) => {
		op.write('a', op.read('b'));
		op.write('c', op.flags.carries());
	},
	/** Exchanges `a` for what was loaded, `b`. One that changes nothing was done when it loaded. */
	storeLocked: (op) => {
		const {f, width} = op;
		const [value, old] = [f.let(op.read('a')), f.let(op.read('b'))];
		const found = f.let(op.compareExchangeMemory(op.keptAddress(), width, old, value));
		f.if(found.ne(old).and(value.ne(old)), () => {
			op.flags.restoreCarries(op.read('c', 64) as Int<'i64'>);
			op.leaveBefore();
		});
	},
	/** XCHG of register `a`. */
	exchangeLocked: (op) => {
		const value = op.f.let(op.read('a'));
		op.write(
			'a',
			exchange(op, () => value),
		);
	},
	/** XADD of register `a`. */
	addLocked: (op) => {
		const addend = op.f.let(op.read('a'));
		const narrow = {8: 0xff, 16: 0xffff} as const;
		const mask = narrow[op.width as 8];
		const old = exchange(op, (value) => (mask === undefined ? value.add(addend) : value.add(addend).and(mask)));
		op.write('a', old);
		add(op, old, addend);
	},
	/** CMPXCHG8B. ZF alone changes. */
	compareExchange8: (op) => {
		const {f} = op;
		const pair = (high: number, low: number) => {
			const [upper, lower] = [op.readRegister(high, 32), op.readRegister(low, 32)];
			return upper.toI64U().shl(32).or(lower.toI64U());
		};
		const at = f.let(op.keptAddress());
		const old = f.let(op.loadMemory(at, 64, true) as Int<'i64'>);
		const isEqual = f.let(old.eq(pair(data, accumulator)));
		f.if(
			isEqual,
			() => {
				const found = f.let(op.compareExchangeMemory(at, 64, old, pair(counter, base)));
				f.if(found.ne(old), () => op.leaveBefore());
			},
			() => {
				op.writeRegister(accumulator, 32, old.toI32());
				op.writeRegister(data, 32, old.shrU(32).toI32());
			},
		);
		op.flags.changeZero(isEqual);
	},
	/** MFENCE: all before is seen by others before anything after. */
	fence: (op) => op.fence(),
} as const satisfies Record<string, Meaning>;
