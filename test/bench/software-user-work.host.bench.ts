/**
 * Measures what programs of users do, in a guest of the software processor beside one of QEMU's (`-accel tcg`): the same kernel, initial file
 * system and command line, one processor; and natively on this host, which is the limit. Aim: each at half of QEMU's speed, the geometric mean at 1.5 times.
 */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {compile, python} from './guest-programs.ts';
import {benchLinuxWork} from './guest-work.ts';
import {processorWorks} from './works.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));

/** What arrays in JavaScript give too. */
const sqlite = {name: 'sqlite', times: 50, answer: 1_977_636_215};

try {
	const programs = [
		compile(folder, [...processorWorks, sqlite], {libraries: ['sqlite/libsqlite3.a']}),
		python([{name: 'python', times: 16, answer: 204_808_941}]),
	];
	await benchLinuxWork({title: 'User-mode work', programs, folder});
} finally {
	rmSync(folder, {recursive: true, force: true});
}
