import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {type MakeMachine, runsStockKernels, vmTest, x86BackEnds} from '#test/petri';

const image = (name: string) => join(process.cwd(), '.packages/memtest', `memtest86+${name}.bin`);
const isThere = existsSync(image('x64')) && existsSync(image('ia32'));
const where = {on: x86BackEnds, skip: !isThere || !runsStockKernels()};

/** Runs until the screen on COM1 shows a test after number 3. Tests run in order, from 0, so these are complete. */
async function runTests(t: ExecutionContext, machine: MakeMachine, kernel: string) {
	const boot = {kind: 'linux', kernel, commandLine: ['console=ttyS0,115200', 'nopause']} as const;
	const guest = await machine({boot, processors: {count: 2}, memory: {sizeBytes: 32 * 2 ** 20}});
	await guest.vm.start();
	await guest.waitFor(/Memtest86\+ v\d/);
	await guest.waitFor(/2 Cores 2 Threads/);
	await guest.waitFor(/#([4-9]|1\d) +\[/);
	t.regex(guest.output, /Errors: *0/);
	t.notRegex(guest.output, /Errors: *[1-9]|FAIL/i);
}

const title = 'memtest86+ shows its screen on COM1 and completes its first four tests over 32 MiB on 2 processors';
vmTest(title, where, (t, machine) => runTests(t, machine, image('x64')));

vmTest('so does its 32-bit image, by the 32-bit boot protocol', where, async (t, machine) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-memtest-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const path = join(folder, 'kernel');
	writeFileSync(path, allowWrites(readFileSync(image('ia32'))));
	await runTests(t, machine, path);
});

/**
 * Sets the write bits of its four page directory pointers. A supervisor without CR0.WP may write without them, but a KVM
 * in the incubator, whose processor is emulated, hangs at the first such write, whatever the monitor (QEMU's too).
 */
function allowWrites(bytes: Buffer): Buffer {
	const codeStart = (bytes.readUInt8(0x1f1) + 1) * 512;
	for (let at = codeStart; at + 32 <= bytes.length; at += 4096) {
		const pointers = [0, 8, 16, 24].map((offset) => bytes.readBigUInt64LE(at + offset));
		const [first = 0n] = pointers;
		if (first % 4096n !== 1n || pointers.some((each, i) => each !== first + BigInt(i) * 4096n)) continue;
		for (const offset of [0, 8, 16, 24]) bytes.writeUInt8(bytes.readUInt8(at + offset) | 2, at + offset);
	}
	return bytes;
}
