/**
 * Measures floating point in a guest of the software processor beside one of QEMU's (`-accel tcg`), and natively on this host: with SSE2, and with AVX2 and FMA, which QEMU
 * announces when it is asked for all that it has. Aim: each 1.5 times as fast as QEMU, which calls a function for each operation.
 */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {compile} from './guest-programs.ts';
import {benchLinuxWork} from './guest-work.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));
/** What IEEE 754 gives, whatever the compiler makes of it: nothing but FMA changes that. */
const flags = ['-O3', '-ffp-contract=off'];

try {
	const sse2 = [
		{name: 'float_matrix', times: 200, answer: 259_448_307},
		{name: 'fft', times: 200, answer: 3_211_629_481},
		{name: 'ray', times: 200, answer: 2_021_177_233},
	];
	await benchLinuxWork({title: 'Floating point, SSE2', programs: [compile(folder, sse2, {flags})], folder});
	const avx2 = [
		{name: 'float_matrix', times: 200, answer: 2_296_776_803},
		{name: 'fft', times: 200, answer: 3_786_468_675},
		{name: 'ray', times: 200, answer: 2_913_807_667},
	];
	const options = {flags: [...flags, '-mavx2', '-mfma'], needsAvx2: true};
	await benchLinuxWork({
		title: 'Floating point, AVX2',
		programs: [compile(folder, avx2, options)],
		folder,
		peerCpu: 'max',
	});
} finally {
	rmSync(folder, {recursive: true, force: true});
}
