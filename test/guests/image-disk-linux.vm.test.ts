import {createHash, randomBytes} from 'node:crypto';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {type FileHandle, open} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {hasQemuImg, qemuImg} from '#devices/storage/image/testing';
import {measureDisk} from '#devices/storage/source';
import {checkDisk, convertDisk, createDisk, diskInfo} from '#main/disk-images';
import {writeExt4} from '#main/ext4';
import {checkExt4, debugfs, hasExt4Tools} from '#main/ext4/testing';
import {bytesContent, FileTree} from '#main/file-tree';
import {flagged, linuxTest, runInLinux, until, untilReadable} from '#test/petri';

const mebibyte = 2 ** 20;
const identity = {uuid: '00112233-4455-6677-8899-aabbccddeeff', label: 'base', time: 1_700_000_000};
const names = ['first', 'second'] as const;

/** What one of the images has at first, and gets while Linux uses it. */
const [sizeBytes, longerBytes] = [64 * mebibyte, 96 * mebibyte];

linuxTest(
	'Linux has its file systems on images over others, which get longer meanwhile, and of which none is wrong afterwards',
	async (t, machine) => {
		const folder = mkdtempSync(join(tmpdir(), 'openvmm-image-disk-'));
		t.teardown(() => rmSync(folder, {recursive: true, force: true}));
		const [raw, base, first, second] = ['base.raw', 'base.vhdx', 'first.qcow2', 'second.vhdx'].map((name) =>
			join(folder, name),
		) as [string, string, string, string];
		const content = randomBytes(3 * mebibyte);
		const tree = new FileTree(identity.time);
		tree.addFile('old', bytesContent(content));
		tree.addFile('gone', bytesContent(content));
		await createDisk({path: raw}, sizeBytes);
		const file: FileHandle = await open(raw, 'r+');
		await writeExt4(
			{
				async write(bytes, at) {
					await file.write(bytes, 0, bytes.length, at);
				},
			},
			tree,
			{...identity, sizeBytes},
		);
		await file.close();
		await convertDisk({path: raw}, {path: base, blockBytes: mebibyte});
		await createDisk({path: first, backing: {path: raw}}, undefined);
		await createDisk({path: second, backing: {path: base}, blockBytes: mebibyte}, undefined);
		const before = [raw, base].map((path) => readFileSync(path));

		const on = (disk: string, name: string) => [
			`mkdir -p /${name}; mount -t ext4 -o discard /dev/${disk} /${name} || echo failed=mount`,
			`echo old-${name}=$(sha256sum </${name}/old)`,
			`rm /${name}/gone; cp /tmp/sent /${name}/new; sync`,
			`i=0; while [ $i -lt 20 ]; do dd if=/tmp/sent of=/${name}/old bs=4k skip=$i seek=$((i*7)) count=3 conv=notrunc,fsync 2>/dev/null; i=$((i+1)); done`,
			`mkdir /${name}/many; for i in $(seq 200); do echo $i >/${name}/many/$i; done`,
			`rm /${name}/many/1*; umount /${name} || echo failed=umount`,
			`mount -t ext4 -o ro /dev/${disk} /${name}; cmp /tmp/sent /${name}/new || echo failed=new; umount /${name}`,
		];
		const devices = flagged({
			'virtio-blk': [`${first},serial=first`, `file:${second};format=vhdx;engine=threads,serial=second`],
		});
		const guest = await runInLinux(machine, {processors: {count: 1}, devices}, [
			'modprobe -a virtio_mmio virtio_blk ext4',
			untilReadable('/dev/vda', '/dev/vdb'),
			'for d in vda vdb; do eval $(cat /sys/block/$d/serial)=$d; done',
			'dmesg -c >/dev/null; dd if=/dev/urandom of=/tmp/sent bs=64k count=64 2>/dev/null',
			'mkdir -p /first; mount -t ext4 /dev/$first /first || echo failed=mount',
			'echo ready=yes; i=0',
			until(
				`i=$((i+1)); dd if=/tmp/sent of=/first/amid bs=64k count=16 conv=fsync 2>/dev/null; [ $(cat /sys/block/$first/size) = ${longerBytes / 512} ]`,
			),
			'umount /first; dd if=/tmp/sent of=/dev/$first bs=1M count=1 seek=90 conv=notrunc,fsync 2>/dev/null',
			'dd if=/dev/$first bs=1M count=1 skip=90 iflag=direct 2>/dev/null | cmp -n 1048576 - /tmp/sent || echo failed=longer',
			...on('$first', 'first'),
			...on('$second', 'second'),
			"dmesg | grep -v OPENVMM_RUN | grep -E 'I/O error|EXT4-fs error|WARNING: CPU|BUG:|Call Trace'",
			'echo sent=$(sha256sum </tmp/sent)',
		]);
		await guest.waitFor(/^ready=yes\r?$/m);
		// As openvmm resize-disk does.
		await guest.vm.update('vm/devices/virtio-blk-mmio/disks/0/newSize', `${longerBytes}`);
		await guest.vm.control('virtio-blk-mmio', measureDisk);
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
		t.regex(guest.output, /^sent=\w+/m, guest.output);
		const digest = createHash('sha256').update(content).digest('hex');
		for (const name of names) t.regex(guest.output, new RegExp(`^old-${name}=${digest}`, 'm'));
		t.notRegex(
			guest.output.replace(/^.*OPENVMM_RUN.*$/gm, ''),
			/^failed=|I\/O error|EXT4-fs error|WARNING: CPU|BUG:|Call Trace/m,
		);

		t.true(
			[raw, base].every((path, index) => readFileSync(path).equals(before[index] as Buffer)),
			'what is below stays',
		);
		for (const [index, path] of [first, second].entries()) {
			const {faultCount, leaks} = await checkDisk({path}, undefined);
			t.deepEqual([faultCount, leaks], [0, 0], path);
			t.true((await diskInfo({path})).allocatedBytes > 4 * mebibyte, 'what was written is in it');
			const copy = join(folder, `${names[index]}.raw`);
			await convertDisk({path}, {path: copy});
			if (hasExt4Tools) {
				checkExt4(t, copy);
				t.regex(debugfs(copy, 'ls -p /many'), /\/200\//);
			}
			// QEMU reads no VHDX that lies over another.
			if (!hasQemuImg || path === second) continue;
			const check = qemuImg('check', path);
			t.is(check.status, 0, check.said);
			t.is(qemuImg('compare', path, copy).status, 0);
		}
	},
);
