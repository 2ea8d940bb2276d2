import {mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import type {FolderOptions} from '#devices/folder';
import type {PciRegisters} from '#devices/virtio/testing';
import {Errno} from '#support/ffi';
import {windowSize} from './file-window.ts';
import {Opcode, RemovemappingIn, RemovemappingOne, SetupmappingIn} from './layout.ts';
import {FsDriver} from './testing/fs-driver.ts';

const mib = 2 ** 20;
const windowBytes = 8 * mib;

/** A folder with a file of 4 MiB, whose pages begin with their number. */
function folderOf(t: ExecutionContext): {readonly folder: string; readonly path: string} {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-window-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	const path = join(folder, 'file');
	const content = Buffer.alloc(4 * mib);
	for (let page = 0; page < content.length / 4096; page++) content.writeUInt32LE(page + 1, 4096 * page);
	writeFileSync(path, content);
	return {folder, path};
}

async function windowed(t: ExecutionContext, folder: string, options: Partial<FolderOptions> = {}) {
	const guest = await FsDriver.start(folder, options, 'pci', windowBytes);
	t.teardown(() => guest.machine.dispose());
	return {guest, init: await guest.init(), ...accessOf(guest)};
}

/** The driver's requests and accesses. */
function accessOf(guest: FsDriver) {
	const {machine} = guest;
	const {at} = (machine.registers as PciRegisters).sharedMemory.get(0) as {readonly at: number};
	return {
		read: (offset: number) => machine.bus.readMmio(at + offset, 4) >>> 0,
		write: (offset: number, value: number) => machine.bus.writeMmio(at + offset, 4, value),
		map: async (node: number, moffset: number, foffset: number, len: number, isWritten: boolean) =>
			(
				await guest.ask(
					Opcode.SETUPMAPPING,
					node,
					SetupmappingIn.encode({fh: 2n ** 64n - 1n, moffset, foffset, len, flags: isWritten ? 3n : 2n}),
				)
			).error,
		unmap: async (...pieces: (readonly [moffset: number, len: number])[]) => {
			const list = pieces.map(([moffset, len]) => RemovemappingOne.encode({moffset, len}));
			const words = Buffer.concat([RemovemappingIn.encode({count: pieces.length}), ...list]);
			return (await guest.ask(Opcode.REMOVEMAPPING, 0, words)).error;
		},
	};
}

test('files are mapped into memory of the driver\u2019s, to be written or to be read', async (t) => {
	const {folder, path} = folderOf(t);
	const {guest, init, read, write, map, unmap} = await windowed(t, folder);
	t.is(init.map_alignment, 21);
	const node = await guest.lookup(1, 'file');
	t.is(await map(node, 2 * mib, 0, 4 * mib, true), 0);
	t.deepEqual([read(0), read(2 * mib), read(4 * mib)], [0, 1, 513]);
	write(4 * mib + 4096 + 4, 77);
	t.is(readFileSync(path).readUInt32LE(2 * mib + 4096 + 4), 77);
	t.is(await map(node, 0, 2 * mib, 2 * mib, false), 0);
	t.is(read(0), 513);
	write(0, 5);
	t.is(readFileSync(path).readUInt32LE(2 * mib), 513, 'what is only read stays so');
	writeFileSync(path, Uint8Array.of(9, 0, 0, 0), {flag: 'r+'});
	t.is(read(2 * mib), 9, 'the host\u2019s change is there at once');
	t.is(await unmap([0, 2 * mib], [4 * mib, 2 * mib]), 0);
	t.deepEqual([read(0), read(2 * mib), read(4 * mib)], [0, 9, 0]);
	t.is((await guest.ask(Opcode.DESTROY, 0)).error, 0);
	t.is(read(2 * mib), 0, 'the client has left');
	t.deepEqual(guest.machine.failures, []);
	t.is(guest.machine.pins, 0);
});

test('a mapping is whole pieces, within the window, of a file that the guest may have', async (t) => {
	const {folder} = folderOf(t);
	const {guest, map, unmap} = await windowed(t, folder, {readOnly: true});
	const node = await guest.lookup(1, 'file');
	for (const [moffset, foffset, len] of [
		[4096, 0, 2 * mib],
		[0, 4096, 2 * mib],
		[0, 0, 4096],
		[0, 0, 0],
		[6 * mib, 0, 4 * mib],
		[8 * mib, 0, 2 * mib],
		[2 ** 53, 0, 2 * mib],
		[0, 2 ** 60, 2 * mib],
		[0, 0, 2 ** 60],
	] as const)
		t.is(await map(node, moffset, foffset, len, false), -Errno.EINVAL, `${moffset} ${foffset} ${len}`);
	t.is(await map(node, 0, 0, 2 * mib, true), -Errno.EROFS);
	t.is(await map(1, 0, 0, 2 * mib, false), -Errno.EISDIR);
	t.is(await map(99, 0, 0, 2 * mib, false), -Errno.ESTALE);
	t.is(await map(node, 0, 0, 2 * mib, false), 0);
	t.is(await unmap([1, 2 * mib]), -Errno.EINVAL);
	const short = await guest.ask(Opcode.REMOVEMAPPING, 0, RemovemappingIn.encode({count: 2 ** 32 - 1}));
	t.is(short.error, -Errno.EINVAL);
	const without = await FsDriver.mounted(folder);
	t.teardown(() => without.machine.dispose());
	t.is((await without.ask(Opcode.SETUPMAPPING, 1, new Uint8Array(40))).error, -Errno.ENOSYS);
	for (const value of [-1, 1, mib, 2 ** 32 + 2 * mib, 'x'])
		t.is(windowSize.check(value, '--it')?.code, 'CONFIG_VALUE_INVALID');
	t.throws(() => windowSize.parse('3M', '--it'), {code: 'CONFIG_VALUE_INVALID'});
	t.is(windowSize.parse('1G', '--it'), 2 ** 30);
});

test('a guest that goes on from a snapshot has its files in memory again, and not without them', async (t) => {
	const {folder, path} = folderOf(t);
	const {guest, map} = await windowed(t, folder);
	const node = await guest.lookup(1, 'file');
	t.is(await map(node, 4 * mib, 2 * mib, 2 * mib, true), 0);
	await guest.machine.stop();
	const again = await FsDriver.restored(folder, guest, undefined, windowBytes);
	t.teardown(() => again.machine.dispose());
	t.deepEqual(again.machine.failures, []);
	const {read, write} = accessOf(again);
	t.is(read(4 * mib), 513);
	write(4 * mib, 6);
	t.is(readFileSync(path).readUInt32LE(2 * mib), 6);
	unlinkSync(path);
	const lost = await FsDriver.restored(folder, guest, undefined, windowBytes);
	t.teardown(() => lost.machine.dispose());
	t.regex(lost.machine.failures.join(), /a file in its memory that is not in its folder any more/);
});
