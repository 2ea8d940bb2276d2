import {createCipheriv} from 'node:crypto';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {DiskError, DiskOperation} from '#devices/storage/disk';
import {SeededRandom} from '#devices/storage/image/testing';
import {diskStack, randomLoad} from '#devices/storage/source/testing';
import {Xts} from './xts.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-crypt-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const key = new SeededRandom(3).bytes(64);
const keyFile = join(folder, 'key');
writeFileSync(keyFile, key);
const crypt = (disk: string) => `crypt:xts-aes-256:${keyFile}:${disk}`;

/** As dm-crypt has a sector with aes-xts-plain64: by Node's own XTS. */
function encrypted(sector: number, bytes: Uint8Array): Buffer {
	const tweak = Buffer.alloc(16);
	tweak.writeBigUInt64LE(BigInt(sector));
	return createCipheriv('aes-256-xts', key, tweak).update(bytes);
}

function encryptedAll(bytes: Uint8Array, first = 0): Buffer {
	const sectors = Array.from({length: bytes.length / 512}, (_, index) =>
		encrypted(first + index, bytes.subarray(index * 512, index * 512 + 512)),
	);
	return Buffer.concat(sectors);
}

test('a unit of the standard`s: vector 10 of IEEE 1619-2007, annex B', (t) => {
	const vectorKey = Buffer.from(
		'27182818284590452353602874713526624977572470936999595749669676273141592653589793238462643383279502884197169399375105820974944592',
		'hex',
	);
	const plain = Buffer.from(Array.from({length: 512}, (_, index) => index & 0xff));
	const xts = new Xts(vectorKey, 512);
	plain.copy(xts.bytes);
	xts.encrypt(0xff, 512);
	t.is(
		xts.bytes.toString('hex', 0, 64),
		'1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b5d31e276f8fe4a8d66b317f9ac683f44680a86ac35adfc3345befecb4bb188fd',
	);
	xts.decrypt(0xff, 512);
	t.true(xts.bytes.equals(plain));
});

test('units are as Node`s XTS has them, whatever their numbers', (t) => {
	const xts = new Xts(key, 4096);
	const random = new SeededRandom(5);
	for (const unit of [0, 1, 2 ** 31 - 3, 2 ** 32 - 4, 2 ** 32, 2 ** 40 + 7]) {
		const plain = random.bytes(4096);
		xts.bytes.set(plain);
		xts.encrypt(unit, 4096);
		t.true(xts.bytes.equals(encryptedAll(plain, unit)), `${unit}`);
		xts.decrypt(unit, 4096);
		t.true(xts.bytes.equals(plain), `${unit}`);
	}
});

test('what is in the file is encrypted, all of it that was written, and reads as it was, by another process too', async (t) => {
	const bytes = 2 ** 20 + 512;
	const path = join(folder, 'disk.img');
	const first = new SeededRandom(1).bytes(bytes);
	writeFileSync(path, encryptedAll(first));
	for (const [index, engine] of ['io_uring', 'threads'].entries())
		await diskStack(crypt(`file:${path};engine=${engine}`), async (stack) => {
			const content = new Uint8Array((await stack.read(0, bytes)) as Buffer);
			if (index === 0) t.true(Buffer.from(first).equals(content));
			const disks = [stack.disk, await stack.another()];
			const expected = await randomLoad(t, stack, {seed: 11 + index, steps: 120, content, disks});
			t.true(encryptedAll(expected).equals(readFileSync(path)));
		});
});

test('over RAM, and under an overlay', async (t) => {
	await diskStack(crypt('mem:1M'), async (stack) => {
		t.is(await stack.write(0, new Uint8Array(2 ** 20)), DiskError.NONE);
		await randomLoad(t, stack, {seed: 21, steps: 100, content: new Uint8Array(2 ** 20), most: 2 ** 19});
	});
	const path = join(folder, 'base.img');
	const base = new SeededRandom(9).bytes(2 ** 20);
	writeFileSync(path, encryptedAll(base));
	await diskStack(`memdiff:${crypt(path)}`, (stack) =>
		randomLoad(t, stack, {seed: 22, steps: 100, content: base, discarded: base}),
	);
	t.true(encryptedAll(base).equals(readFileSync(path)));
});

test('nothing is discarded, and errors of the disk below pass up', async (t) => {
	const path = join(folder, 'short.img');
	writeFileSync(path, new Uint8Array(2 ** 18));
	await diskStack(crypt(path), async ({disk, write, read, run}) => {
		t.is(disk.geometry.discardBytes, 0);
		const bytes = Buffer.alloc(4096, 5);
		t.is(await write(0, bytes), DiskError.NONE);
		t.is(await run({operation: DiskOperation.DISCARD, offset: 0, length: 4096}), DiskError.NONE);
		t.deepEqual(await read(0, 4096), bytes);
		writeFileSync(path, new Uint8Array(2 ** 17));
		t.is(await read(2 ** 17 - 2 ** 16, 2 ** 17), DiskError.IO);
		t.is(await read(2 ** 18, 512), DiskError.OUT_OF_RANGE);
	});
	await diskStack(crypt(path), async ({write}) => t.is(await write(0, new Uint8Array(512)), DiskError.PROTECTED), true);
});

for (const [name, content, code] of [
	['is missing', undefined, 'DISK_KEY_UNREADABLE'],
	['is too short', key.subarray(1), 'DISK_KEY_LENGTH'],
	['is too long', Buffer.concat([key, key]), 'DISK_KEY_LENGTH'],
	['is empty', new Uint8Array(0), 'DISK_KEY_LENGTH'],
	['has the same key twice', Buffer.concat([key.subarray(0, 32), key.subarray(0, 32)]), 'DISK_KEY_WEAK'],
] as const)
	test(`a key file that ${name} is an error, and the disk below is closed again`, async (t) => {
		const path = join(folder, `key ${name}`);
		const disk = join(folder, `disk ${name}`);
		if (content !== undefined) writeFileSync(path, content);
		writeFileSync(disk, new Uint8Array(4096));
		await t.throwsAsync(
			diskStack(`crypt:xts-aes-256:${path}:${disk}`, async () => {}),
			{code},
		);
		await diskStack(disk, async () => t.pass('nobody has it locked'));
	});

test('a key file that never ends has no key', async (t) => {
	await t.throwsAsync(
		diskStack('crypt:xts-aes-256:/dev/zero:mem:1M', async () => {}),
		{code: 'DISK_KEY_LENGTH'},
	);
});
