import {createCipheriv, createHash, randomBytes} from 'node:crypto';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {gptDisk} from '#devices/storage/partition/testing';
import {writeExt4} from '#main/ext4';
import {bytesContent, FileTree} from '#main/file-tree';
import {flagged, linuxTest, runInLinux, untilReadable, untilThere} from '#test/petri';

const mebibyte = 2 ** 20;
const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** An ext4 file system with one file. */
async function fileSystem(sizeBytes: number, content: Uint8Array): Promise<Buffer> {
	const image = Buffer.alloc(sizeBytes);
	const tree = new FileTree(0);
	tree.addFile('content', bytesContent(content));
	const file = {
		write: async (bytes: Uint8Array, at: number) => image.set(bytes, at),
	};
	await writeExt4(file, tree, {sizeBytes, uuid: '0'.repeat(32), label: 'layers', time: 1_700_000_000});
	return image;
}

/** As dm-crypt's aes-xts-plain64 has it. */
function encrypted(bytes: Buffer, key: Buffer): Buffer {
	const sectors = Array.from({length: bytes.length / 512}, (_, index) => {
		const tweak = Buffer.alloc(16);
		tweak.writeUInt32LE(index);
		return createCipheriv('aes-256-xts', key, tweak).update(bytes.subarray(index * 512, index * 512 + 512));
	});
	return Buffer.concat(sectors);
}

linuxTest(
	'Linux mounts a file system from an encrypted partition and writes to it, and the file stays as it was',
	async (t, machine) => {
		const folder = mkdtempSync(join(tmpdir(), 'openvmm-layers-'));
		t.teardown(() => rmSync(folder, {recursive: true, force: true}));
		const [path, keyFile] = [join(folder, 'disk.img'), join(folder, 'key')];
		const [key, content] = [randomBytes(64), randomBytes(3 * mebibyte)];
		const [first, last] = [2048, 2048 + 16 * 2048 - 1];
		const disk = gptDisk(24 * mebibyte, [
			{first: 40, last: 2047},
			{first, last, label: 'system'},
		]);
		encrypted(await fileSystem(16 * mebibyte, content), key).copy(disk, first * 512);
		writeFileSync(path, disk);
		writeFileSync(keyFile, key);
		const devices = flagged({
			'virtio-blk': [
				`memdiff:crypt:xts-aes-256:${keyFile}:part:label=system:${path},serial=layers`,
				`${path},ro,serial=whole`,
				'striped;chunk=64K:[mem:4M][mem:4M],serial=striped',
			],
		});
		const guest = await runInLinux(machine, {processors: {count: 2}, devices}, [
			'dmesg -c >/dev/null',
			'modprobe -a virtio_mmio virtio_blk ext4',
			untilReadable('/dev/vda', '/dev/vdb', '/dev/vdc'),
			'for d in vda vdb vdc; do eval $(cat /sys/block/$d/serial)=$d; done',
			// Linux looks for partitions after it has the disk.
			untilThere('/sys/block/$whole/*2/size'),
			"echo place=$(cat /sys/block/$whole/$whole'2'/start)+$(cat /sys/block/$whole/$whole'2'/size)",
			'mkdir -p /mnt; mount -t ext4 /dev/$layers /mnt',
			'echo content=$(sha256sum </mnt/content)',
			'dd if=/dev/urandom of=/tmp/sent bs=64k count=64 2>/dev/null; cp /tmp/sent /mnt/sent; mv /mnt/content /mnt/moved; umount /mnt',
			'echo 3 >/proc/sys/vm/drop_caches; mount -t ext4 /dev/$layers /mnt',
			'echo moved=$(sha256sum </mnt/moved); cmp /tmp/sent /mnt/sent && echo sent=same; umount /mnt',
			'dd if=/tmp/sent of=/dev/$striped bs=1M oflag=direct 2>/dev/null',
			'dd if=/dev/$striped bs=64k count=64 iflag=direct 2>/dev/null | cmp - /tmp/sent && echo striped=same',
			"dmesg | grep -v OPENVMM_RUN | grep -E 'I/O error|EXT4-fs error|WARNING: CPU|BUG:|Call Trace'",
			'echo all=done',
		]);
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
		t.regex(guest.output, /^all=done\r?$/m);
		t.regex(guest.output, new RegExp(`^place=${first}\\+${last - first + 1}\\r?$`, 'm'), guest.output);
		for (const name of ['content', 'moved'])
			t.regex(guest.output, new RegExp(`^${name}=${digest(content)}`, 'm'), guest.output);
		t.regex(guest.output, /^sent=same\r?$/m);
		t.regex(guest.output, /^striped=same\r?$/m);
		t.notRegex(guest.output, /I\/O error|EXT4-fs error|WARNING: CPU|BUG:|Call Trace/);
		t.true(readFileSync(path).equals(disk));
	},
);
