import {existsSync, readFileSync} from 'node:fs';
import test, {type ExecutionContext} from 'ava';
import {decompress, findCompression} from '#main/compression';
import {detectKernelFormat} from './detect.ts';
import {loadKernel} from './load-kernel.ts';
import {codeOf, findPiece, machineOf, requestFor} from './testing/index.ts';

const path = new URL('../../../.packages/linux/vmlinuz', import.meta.url);
const mebibyte = 0x100000;

/** Runs with the kernel that `npm run flowey -- restore-packages` fetches, and says so when there is none. */
const withDebian = (title: string, implementation: (t: ExecutionContext) => void | Promise<void>) =>
	existsSync(path)
		? test(title, implementation)
		: test.skip(`${title} (no .packages/linux/vmlinuz: npm run flowey -- restore-packages)`, implementation);

withDebian('Debian’s kernel is laid out by what its header says', (t) => {
	const kernel = readFileSync(path);
	const initrd = new Uint8Array(7 * mebibyte);
	const image = loadKernel(requestFor(kernel, {initrd}));
	t.is(image.format, 'bzimage');

	// Offsets straight from boot.rst, so that a slip in the table the loader reads by cannot hide.
	const setupSize = (kernel.readUInt8(0x1f1) + 1) * 512;
	const payload = kernel.subarray(setupSize, setupSize + kernel.readUInt32LE(0x1f4) * 16);
	t.true(payload.equals(findPiece(image, 'kernel').data));
	const page = Buffer.from(findPiece(image, 'zero page').data);
	t.is(page.toString('latin1', 0x202, 0x206), 'HdrS');
	t.is(page.readUInt8(0x210), 0xff);
	t.is(page.readUInt32LE(0x228), 0x3000);
	t.is(page.readUInt32LE(0x21c), initrd.length);
	t.is(page.readUInt32LE(0x070), 0xe0000);
	t.is(page.readUInt8(0x1ef), 0, 'the sentinel is clear');
	const unpackedEnd = kernel.readUInt32LE(0x258) + kernel.readUInt32LE(0x260);
	const initrdAt = page.readUInt32LE(0x218);
	t.is(initrdAt, Math.ceil(unpackedEnd / 0x200000) * 0x200000);
	t.is(page.readUInt8(0x1e8), 7);
	t.is(page.readBigUInt64LE(0x2d0 + 6 * 20), 0x100000n);
	t.is(page.readBigUInt64LE(0x2d0 + 6 * 20 + 8), 255n << 20n);
	t.is(page.readUInt32LE(0x2d0 + 6 * 20 + 16), 1);
});

withDebian('a half-downloaded Debian kernel is truncated at every length', (t) => {
	const kernel = readFileSync(path);
	for (const length of [0x206, 0x300, 0x8000, mebibyte, kernel.length - 8192]) {
		t.is(
			codeOf(() => loadKernel(requestFor(kernel.subarray(0, length)))),
			'KERNEL_TRUNCATED',
		);
	}
});

withDebian('Debian’s kernel in too little memory is refused with an amount that does', (t) => {
	const kernel = readFileSync(path);
	const load = (memory: number) => loadKernel(requestFor(kernel, {machine: machineOf(memory)}));
	const {context} = t.throws(() => load(32 * mebibyte)) as {context: {neededBytes: number}} & Error;
	t.is(
		codeOf(() => load(context.neededBytes - mebibyte)),
		'MEMORY_TOO_SMALL',
	);
	t.notThrows(() => load(context.neededBytes));
});

withDebian('the payload of Debian’s kernel alone is no kernel', (t) => {
	t.is(
		codeOf(() => detectKernelFormat(readFileSync(path).subarray(20480))),
		'KERNEL_UNRECOGNISED',
	);
});

withDebian('the payload that Debian’s kernel unpacks is decompressed to the same kernel as ELF', async (t) => {
	const kernel = readFileSync(path);
	const start = (kernel.readUInt8(0x1f1) + 1) * 512 + kernel.readUInt32LE(0x248);
	const payload = kernel.subarray(start, start + kernel.readUInt32LE(0x24c));
	const archive = findCompression(payload);
	if (archive === undefined) return t.log('its format is none that is read here');
	const vmlinux = await decompress({bytes: payload, limit: 256 * mebibyte}, archive);
	t.log(`${archive.found}, ${payload.length} bytes of ${vmlinux.length}`);
	t.like(detectKernelFormat(vmlinux), {format: 'vmlinux', why: 'it is a 64-bit ELF that says it is Linux'});
	t.is(loadKernel(requestFor(vmlinux)).entry.general.rip, BigInt(kernel.readUInt32LE(0x258)));
});
