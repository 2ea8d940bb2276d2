import test from 'ava';
import {BreakpointTable, breakpointType} from './index.ts';
import {watchPieces} from './watch-pieces.ts';

const native = {software: true, hardware: true};
const here = (address: bigint) => Number(address) + 0x1000;
const nowhere = () => undefined;
const {software, hardware, write, read, access} = breakpointType;

test('software breakpoints are where the client sees memory', (t) => {
	const table = new BreakpointTable(native);
	t.is(table.insert({type: software, address: 0x10n, length: 1}, here), 'ok');
	t.is(table.insert({type: software, address: 0x10n, length: 1}, here), 'ok');
	t.is(table.insert({type: software, address: 0x20n, length: 1}, nowhere), 'no memory');
	t.deepEqual(table.toBreakpoints(), {software: [0x1010], hardware: [], stops: []});
	t.true(table.remove({type: software, address: 0x10n, length: 1}));
	t.false(table.remove({type: software, address: 0x10n, length: 1}));
	t.deepEqual(table.toBreakpoints().software, []);
});

test('debug registers are four, shared by breakpoints and the pieces of what is watched', (t) => {
	const table = new BreakpointTable(native);
	t.is(table.insert({type: hardware, address: 1n, length: 1}, nowhere), 'ok');
	t.is(table.insert({type: write, address: 0x1ffcn, length: 12}, nowhere), 'ok');
	t.is(table.insert({type: access, address: 0x3000n, length: 1}, nowhere), 'ok');
	t.is(table.insert({type: hardware, address: 2n, length: 1}, nowhere), 'too many');
	t.is(table.insert({type: read, address: 2n, length: 1}, nowhere), 'unsupported');
	t.deepEqual(table.toBreakpoints().hardware, [
		{address: 1n, kind: 'execute', length: 1},
		{address: 0x1ffcn, kind: 'write', length: 4},
		{address: 0x2000n, kind: 'write', length: 8},
		{address: 0x3000n, kind: 'access', length: 1},
	]);
	const reason = (index: number) => table.reasonOf({vcpu: 0, stop: {kind: 'hardware', index}});
	t.deepEqual(reason(0), {kind: 'hwbreak', address: 1n});
	t.deepEqual(reason(2), {kind: 'watch', address: 0x1ffcn});
	t.deepEqual(reason(3), {kind: 'awatch', address: 0x3000n});
	t.is(reason(7), undefined);
});

test('where INT3 does nothing debug registers stand in, and stepping where they are taken or do nothing', (t) => {
	const table = new BreakpointTable({software: false, hardware: true});
	for (let address = 0n; address < 5n; address++) {
		t.is(table.insert({type: software, address, length: 1}, nowhere), 'ok');
	}
	t.is(table.toBreakpoints().hardware.length, 4);
	t.deepEqual(table.toBreakpoints().stops, [4n]);
	const stepped = new BreakpointTable({software: false, hardware: false});
	t.is(stepped.insert({type: hardware, address: 9n, length: 1}, nowhere), 'ok');
	t.is(stepped.insert({type: write, address: 8n, length: 8}, nowhere), 'unsupported');
	t.deepEqual(stepped.toBreakpoints(), {software: [], hardware: [], stops: [9n]});
});

test('breakpoints without end are refused', (t) => {
	const table = new BreakpointTable(native);
	const results = Array.from({length: 1025}, (_, at) =>
		table.insert({type: software, address: BigInt(at), length: 1}, here),
	);
	t.is(results.at(-2), 'ok');
	t.is(results.at(-1), 'too many');
});

test('what is watched is cut into aligned pieces, as few as there are registers', (t) => {
	const sizes = (address: bigint, length: number) =>
		watchPieces(address, length, 'write')?.map((piece) => piece.length);
	t.deepEqual(sizes(0n, 8), [8]);
	t.deepEqual(sizes(3n, 8), [1, 4, 2, 1]);
	t.deepEqual(sizes(1n, 2), [1, 1]);
	t.deepEqual(sizes(0n, 32), [8, 8, 8, 8]);
	t.is(sizes(0n, 33), undefined);
	t.is(sizes(0n, 0), undefined);
	t.deepEqual(sizes(0xffff_ffff_ffff_ffffn, 2), [1, 1]);
});
