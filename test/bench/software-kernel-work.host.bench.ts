/**
 * Measures what Linux does for programs, in a guest of the software processor beside one of QEMU's (`-accel tcg`), and by this host's kernel: system calls, page
 * faults, switches from process to process, and bytes that go through pipes and come back. Aim: each as often a second as with QEMU.
 */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {compile} from './guest-programs.ts';
import {benchLinuxWork} from './guest-work.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));
const works = [
	{name: 'system_calls', times: 20, answer: 20_000, counts: {what: 'calls', each: 20_000}},
	{name: 'page_faults', times: 20, answer: 7995, counts: {what: 'faults', each: 2000}},
	{name: 'context_switches', times: 5, answer: 4000, counts: {what: 'switches', each: 4000}},
	{name: 'pipe_round_trips', times: 5, answer: 253_336, counts: {what: 'round trips', each: 2000}},
];

try {
	await benchLinuxWork({title: 'Work of the kernel', programs: [compile(folder, works)], folder});
} finally {
	rmSync(folder, {recursive: true, force: true});
}
