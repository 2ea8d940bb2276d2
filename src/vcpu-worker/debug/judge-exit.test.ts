import test from 'ava';
import {type DebugPlan, judgeException} from './index.ts';

const empty: DebugPlan = {step: false, breakpoints: [], hardware: [], stops: []};
const int3 = (physical: number | undefined) => ({vector: 3, pc: 0xffff_8000_0000_1000n, physical, dr6: 0xffff_0ff0n});
const debug = (pc: bigint, bits = 0n) => ({vector: 1, pc, physical: undefined, dr6: 0xffff_0ff0n | bits});
const stepped = 1n << 14n;

test("an INT3 is the debugger's where it put one, whatever address it is reached by", (t) => {
	const plan = {...empty, breakpoints: [0x1000, 0x2000]};
	t.deepEqual(judgeException(plan, int3(0x2000)), {kind: 'breakpoint'});
	t.is(judgeException(plan, int3(0x3000)), "guest's");
	t.is(judgeException(plan, int3(undefined)), "guest's");
});

test("a debug register's stop is that of the plan's breakpoint, before that of a step", (t) => {
	const plan: DebugPlan = {
		...empty,
		step: true,
		hardware: [
			{address: 1n, kind: 'execute', length: 1},
			{address: 8n, kind: 'write', length: 8},
		],
	};
	t.deepEqual(judgeException(plan, debug(0n, 2n | stepped)), {kind: 'hardware', index: 1});
	t.deepEqual(judgeException(plan, debug(0n, 4n | stepped)), {kind: 'step'}, 'a third is not in the plan');
});

test("without steps a debug exception is the guest's own", (t) => {
	const plan: DebugPlan = {...empty, hardware: [{address: 1n, kind: 'execute', length: 1}]};
	t.is(judgeException(plan, debug(0n, stepped)), "guest's");
	t.is(judgeException({...empty, breakpoints: [1]}, debug(0n, 8n)), "guest's");
});

test('a step ends after one instruction, or behind its range', (t) => {
	const range = {...empty, step: {start: 0x10n, end: 0x20n}};
	t.deepEqual(judgeException({...empty, step: true}, debug(0x11n, stepped)), {kind: 'step'});
	t.is(judgeException(range, debug(0x1fn, stepped)), 'go on');
	t.deepEqual(judgeException(range, debug(0x20n, stepped)), {kind: 'step'});
	t.deepEqual(judgeException(range, debug(0xfn, stepped)), {kind: 'step'});
});

test('stepping to a stop goes on until it is there, in a range too', (t) => {
	t.is(judgeException({...empty, stops: [0x30n]}, debug(0x2fn, stepped)), 'go on');
	t.deepEqual(judgeException({...empty, stops: [0x30n]}, debug(0x30n, stepped)), {kind: 'breakpoint'});
	const both = {...empty, step: {start: 0x10n, end: 0x20n}, stops: [0x18n]};
	t.deepEqual(judgeException(both, debug(0x18n, stepped)), {kind: 'breakpoint'});
});
