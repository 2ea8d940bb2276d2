import test from 'ava';
import {differences} from './difference.ts';
import {windowAddress} from './layout.ts';
import {emptyMask} from './mask.ts';
import {ProcessorState, Rflags} from './processor-state.ts';

type State = ReturnType<typeof ProcessorState.on>;
function made(change: (state: State) => void = () => {}): State {
	const state = ProcessorState.on(new ArrayBuffer(ProcessorState.byteLength));
	ProcessorState.reset(state);
	change(state);
	return state;
}

test('a difference is told by the name of what differs', (t) => {
	const actual = made((state) => {
		state.gpr[3] = 0x1234n;
		state.rflags |= BigInt(Rflags.CF | Rflags.OF | 0x4000);
		state.memory[5] = 7;
		state.xsave.xmm[3] = 9n;
	});
	const mask = {...emptyMask(), hasVectors: true};
	t.deepEqual(differences(made(), actual, mask), [
		'CF is 1, OF is 1, RFLAGS differ in 4000',
		'RBX is 1234, not 0',
		`memory at ${(windowAddress + 5).toString(16)} is 7, not 0`,
		'XMM1 high is 9, not 0',
	]);
	t.deepEqual(differences(actual, actual, mask), []);
});

test('what is masked may differ, and what lies beside it may not', (t) => {
	const mask = {...emptyMask(), flags: Rflags.AF, register: 1, registerLow: 0xffff, memoryStart: 6, memoryEnd: 8};
	const change =
		(flag: number, register: bigint, at: number) =>
		(state: State): void => {
			state.rflags |= BigInt(flag);
			state.gpr[1] = register;
			state.memory[at] = 1;
		};
	t.deepEqual(differences(made(), made(change(Rflags.AF, 0x8001n, 7)), mask), []);
	t.is(differences(made(), made(change(Rflags.PF, 0x1_0000n, 8)), mask).length, 3);
});

test('after an exception flags have a mask of their own, and a page fault has an address', (t) => {
	const mask = {...emptyMask(), flags: Rflags.AF};
	const faulted = (vector: number, cr2: bigint, flag = 0) =>
		made((state) => {
			Object.assign(state, {vector, cr2});
			state.rflags |= BigInt(flag);
		});
	t.deepEqual(differences(faulted(14, 1n), faulted(14, 2n, Rflags.AF), mask), ['CR2 is 2, not 1', 'AF is 1']);
	t.deepEqual(differences(faulted(13, 1n), faulted(13, 2n), mask), []);
	const either = {...mask, exceptionFlags: Rflags.AF};
	t.deepEqual(differences(faulted(0, 0n), faulted(0, 0n, Rflags.AF), either), []);
	t.deepEqual(differences(made(), faulted(6, 0n), mask), ['#UD, not no exception']);
});

test('of x87 and SSE all is compared but where the last instruction was, and what is approximated within its bound', (t) => {
	const ones = (low: number): bigint => new BigUint64Array(new Float32Array([low, 1]).buffer)[0] as bigint;
	const vectors =
		(low: number, change: (xsave: State['xsave']) => void = () => {}) =>
		(state: State): void => {
			state.xsave.xmm[4] = ones(low);
			change(state.xsave);
		};
	const mask = {...emptyMask(), hasVectors: true, inexactXmm: 2, tolerance: 2 ** -10};
	const found = (low: number, change?: (xsave: State['xsave']) => void, by = mask) =>
		differences(made(vectors(1)), made(vectors(low, change)), by);
	t.deepEqual(found(1 + 2 ** -11), []);
	t.deepEqual(found(1 + 2 ** -9), ['XMM2 low is 3f8000003f804000, not 3f8000003f800000']);
	t.is(found(-1).length, 1);
	t.is(found(1 + 2 ** -11, undefined, {...mask, inexactXmm: 3}).length, 1);
	const elsewhere = (xsave: State['xsave']): void => {
		Object.assign(xsave, {fip: 1n, fdp: 1n, fop: 1});
	};
	t.deepEqual(found(1, elsewhere), []);
	const inX87 = (xsave: State['xsave']): void => {
		Object.assign(xsave, {fsw: 1, ftw: 2});
		Object.assign(xsave.st[7] as object, {signExponent: 3});
	};
	t.deepEqual(found(1, inX87), ['FSW is 1, not 0', 'FTW is 2, not 0', 'ST(7) sign and exponent is 3, not 0']);
});

test('bits of FSW may be undefined, and what x87 approximates differs by units in the last place, across exponents', (t) => {
	const x87 = (fsw: number, signExponent: number, significand: bigint) =>
		made(({xsave}) => {
			xsave.fsw = fsw;
			Object.assign(xsave.st[0] as object, {signExponent, significand});
		});
	const mask = {...emptyMask(), hasVectors: true, fsw: 0x4500, inexactSt: 1, tolerance: 3};
	const [one, below] = [1n << 63n, (1n << 64n) - 1n];
	t.deepEqual(differences(x87(0x4500, 0x3fff, one), x87(0, 0x3ffe, below - 2n), mask), []);
	t.deepEqual(differences(x87(0x4500, 0x3fff, one), x87(0x200, 0x3ffe, below - 3n), mask), [
		'FSW is 200, not 0',
		'ST(0) significand is fffffffffffffffc, not 8000000000000000',
		'ST(0) sign and exponent is 3ffe, not 3fff',
	]);
	t.is(differences(x87(0, 0x3fff, one), x87(0, 0xbfff, one), mask).length, 1);
	t.is(differences(x87(0, 0x3fff, one), x87(0, 0x3fff, one + 1n), {...mask, inexactSt: 0}).length, 1);
});
