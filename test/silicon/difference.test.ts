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
