import test from 'ava';
import {debugRegisters, guestStatus, reportedBreakpoint} from './index.ts';

test('DR7 enables each breakpoint with its condition and length', (t) => {
	const registers = debugRegisters([
		{address: 0xffff_ffff_8100_0000n, kind: 'execute', length: 1},
		{address: 0x1000n, kind: 'write', length: 8},
		{address: 0x2002n, kind: 'access', length: 2},
		{address: 0x3004n, kind: 'write', length: 4},
	]);
	t.deepEqual(registers.slice(0, 4), [0xffff_ffff_8100_0000n, 0x1000n, 0x2002n, 0x3004n]);
	t.is(registers[7], 0xd790_0555n);
});

test('no breakpoint leaves nothing enabled', (t) => {
	t.deepEqual(debugRegisters([]), [0n, 0n, 0n, 0n, 0n, 0n, 0xffff_0ff0n, 0x500n]);
});

test('only breakpoints of the plan count', (t) => {
	t.is(reportedBreakpoint(0xffff_0ff4n, 3), 2);
	t.is(reportedBreakpoint(0xffff_0ff4n, 2), undefined);
	t.is(reportedBreakpoint(0xffff_4ff0n, 4), undefined);
});

test("the guest's DR6 gets what its own exception reported", (t) => {
	t.is(guestStatus(0xffff_4ff3n, 0xffff_2ff8n), 0xffff_6ff8n);
});
