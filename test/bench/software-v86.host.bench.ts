/**
 * Measures code of 32 bits, in a multiboot kernel without paging and interrupts, on the software processor beside v86, an emulator whose code becomes WebAssembly too, and
 * QEMU's (`-accel tcg`). The kernel has no clock: time is the host's. Aim: twice v86's speed.
 */
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {both} from './guest-process.ts';
import {compileKernel} from './guest-programs.ts';
import {benchWork} from './guest-work.ts';
import {processorWorks} from './works.ts';

const peer = 'v86';
const folder = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));
if (!existsSync(join(process.cwd(), 'node_modules', peer))) throw new Error('There is no v86 here: npm ci installs it');

try {
	const guest = {kernel: compileKernel(folder, processorWorks), words: '', memoryMib: 64, processors: 1};
	const machines = [peer, ...both];
	await benchWork({title: 'Code of 32 bits', works: processorWorks, guest, machines, peer, programs: []});
} finally {
	rmSync(folder, {recursive: true, force: true});
}
