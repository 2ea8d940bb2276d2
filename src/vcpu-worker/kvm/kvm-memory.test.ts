import test from 'ava';
import {eachRun} from './kvm-memory.ts';

function runsOf(...words: number[]): [first: number, count: number][] {
	const runs: [first: number, count: number][] = [];
	eachRun(Uint32Array.from(words), (first, count) => runs.push([first, count]));
	return runs;
}

test('runs of set bits are told whole, across words and up to the end', (t) => {
	t.deepEqual(runsOf(), []);
	t.deepEqual(runsOf(0, 0), []);
	t.deepEqual(runsOf(0b0110_0001), [
		[0, 1],
		[5, 2],
	]);
	t.deepEqual(runsOf(0x8000_0000, 0xffff_ffff, 0xffff_ffff, 1, 0x10), [
		[31, 66],
		[132, 1],
	]);
	t.deepEqual(runsOf(0, 0xc000_0000), [[62, 2]]);
	t.deepEqual(runsOf(0xffff_ffff, 0xffff_ffff), [[0, 64]]);
});
