import test from 'ava';
import {MappedMemory, type MappedRange} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {DebugControl} from '../debug-control.ts';
import {breakpointsUnit} from './breakpoints-unit.ts';

function sample() {
	const handle = plainMemory({gpa: 0, length: 0x1000});
	const [{memory, offset, length}] = handle.ranges as [MappedRange];
	const debug = new DebugControl();
	const bytes = new Uint8Array(memory.buffer, offset, length);
	return {bytes, debug, unit: breakpointsUnit(new MappedMemory(handle), debug)};
}

test('INT3 is in memory only while the guest runs', (t) => {
	const {bytes, debug, unit} = sample();
	bytes.set([0x90, 0x55], 0x10);
	debug.breakpoints = {software: [0x11, 0xfff_0000], hardware: [], stops: []};
	unit.start?.();
	t.deepEqual([...bytes.subarray(0x10, 0x12)], [0x90, 0xcc]);
	unit.stop?.();
	t.deepEqual([...bytes.subarray(0x10, 0x12)], [0x90, 0x55]);
});

test('what the guest writes over a breakpoint stays', (t) => {
	const {bytes, debug, unit} = sample();
	debug.breakpoints = {software: [4, 5], hardware: [], stops: []};
	unit.start?.();
	bytes[4] = 0x77;
	debug.breakpoints = {software: [], hardware: [], stops: []};
	unit.stop?.();
	t.deepEqual([...bytes.subarray(4, 6)], [0x77, 0]);
	unit.start?.();
	unit.stop?.();
	t.deepEqual([...bytes.subarray(4, 6)], [0x77, 0]);
});
