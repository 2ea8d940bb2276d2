import {existsSync, readFileSync} from 'node:fs';
import test from 'ava';
import {loadKernel} from './load-kernel.ts';
import {findPiece, machineOf, requestFor} from './testing/index.ts';

const path = (name: string) => new URL(`../../../.packages/memtest/memtest86+${name}.bin`, import.meta.url);

// Debian's memtest86+ 6.10: bzImages that are no Linux. Each file lacks the last eight bytes of the size in its header.
for (const [name, entry] of [
	['x64', 0x100200n],
	['ia32', 0x100000n],
] as const) {
	const run = existsSync(path(name)) ? test : test.skip;
	run(`memtest86+ for ${name} is entered where its header says, over 32 MiB`, (t) => {
		const bytes = readFileSync(path(name));
		const image = loadKernel(requestFor(bytes, {machine: machineOf(32 << 20)}));
		t.is(image.entry.general.rip, entry);
		t.is(image.entry.special.cs?.l, name === 'x64');
		const kernel = findPiece(image, 'kernel');
		t.is(kernel.length, bytes.readUInt32LE(0x1f4) * 16);
		t.is(kernel.data.length, bytes.length - (bytes.readUInt8(0x1f1) + 1) * 512);
	});
}
