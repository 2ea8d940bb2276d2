import {createHash, randomBytes, randomUUID} from 'node:crypto';
import {mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync} from 'node:fs';
import {open} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {parsePcieRootComplex, parsePcieRootPort} from '#main/config';
import {writeExt4} from '#main/ext4';
import {checkExt4, debugfs, hasExt4Tools} from '#main/ext4/testing';
import {bytesContent, FileTree} from '#main/file-tree';
import {lockFile} from '#support/ffi';
import {flagged, linuxTest, runInLinux, until, untilReadable} from '#test/petri';

const mib = 2 ** 20;
const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Folder of a test, gone with it. */
function folderOf(t: ExecutionContext): string {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-pmem-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	return folder;
}

/** A file system with one file. */
async function fileSystem(path: string, content: Uint8Array): Promise<void> {
	const tree = new FileTree(0);
	tree.addFile('content', bytesContent(content));
	await using file = await open(path, 'wx');
	await file.truncate(16 * mib);
	const write = async (bytes: Uint8Array, at: number) => void (await file.write(bytes, 0, bytes.length, at));
	await writeExt4({write}, tree, {sizeBytes: 16 * mib, uuid: randomUUID(), label: 'pmem', time: 0});
}

const ports = {
	rootComplexes: [parsePcieRootComplex('rc0,end_bus=15')],
	rootPorts: [parsePcieRootPort('rc0:rp0'), parsePcieRootPort('rc0:rp1')],
};
const drivers = ['dmesg -c >/dev/null', 'modprobe -a virtio_pci virtio_pmem nd_pmem'];
const complaints = "dmesg | grep -v OPENVMM_RUN | grep -E 'I/O error|WARNING: CPU|BUG:|Call Trace|EXT4-fs error'";

linuxTest('Linux mounts a file as memory, without a copy, and what it syncs is in the file', async (t, machine) => {
	const folder = folderOf(t);
	const [path, raw] = [join(folder, 'ext4.img'), join(folder, 'raw.img')];
	const content = randomBytes(mib);
	await fileSystem(path, content);
	writeFileSync(raw, randomBytes(4 * mib));
	const before = readFileSync(raw);
	const devices = flagged({'virtio-pmem': [`pcie_port=rp0:${path}`, `pcie_port=rp1:${raw};private`]});
	const guest = await runInLinux(machine, {pcie: ports, devices}, [
		...drivers,
		untilReadable('/dev/pmem0', '/dev/pmem1'),
		'for d in pmem0 pmem1; do if [ $(cat /sys/block/$d/size) = 8192 ]; then R=$d; else D=$d; fi; done',
		'mkdir -p /mnt; mount -t ext4 -o dax=always /dev/$D /mnt && grep /mnt /proc/mounts',
		'echo content=$(sha256sum </mnt/content)',
		'dd if=/dev/urandom of=/mnt/new bs=64k count=8 conv=fsync 2>/dev/null',
		'echo new=$(sha256sum </mnt/new)',
		'umount /mnt; sync',
		'echo raw=$(sha256sum </dev/$R)',
		'dd if=/dev/zero of=/dev/$R bs=64k count=4 conv=fsync,notrunc 2>/dev/null; echo written=$(dd if=/dev/$R bs=64k count=4 iflag=direct 2>/dev/null | sha256sum)',
		complaints,
		'echo all=done',
	]);
	t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
	t.regex(guest.output, /\/mnt ext4 .*dax=always/, guest.output);
	t.regex(guest.output, new RegExp(`^content=${digest(content)}`, 'm'));
	t.regex(guest.output, new RegExp(`^raw=${digest(before)}`, 'm'));
	t.regex(guest.output, new RegExp(`^written=${digest(new Uint8Array(256 * 1024))}`, 'm'));
	t.is(Buffer.compare(readFileSync(raw), before), 0, 'what is private stays so');
	t.regex(guest.output, /^all=done/m);
	t.notRegex(guest.output, /WARNING: CPU|BUG:|Call Trace|I\/O error|EXT4-fs error/);
	if (!hasExt4Tools) return;
	checkExt4(t, path);
	const out = join(folder, 'new');
	debugfs(path, `dump /new ${out}`);
	t.regex(guest.output, new RegExp(`^new=${digest(readFileSync(out))}`, 'm'));
});

linuxTest(
	'Linux mounts memory that comes, and lets go of it when it is asked: what it wrote is in the file',
	async (t, machine) => {
		const path = join(folderOf(t), 'ext4.img');
		const content = randomBytes(mib);
		await fileSystem(path, content);
		const pcie = {...ports, rootPorts: [parsePcieRootPort('rc0:rp0,hotplug,button')]};
		const isFree = async () => {
			await using file = await open(path, 'r');
			return lockFile(file.fd) === 0;
		};
		const mounts = [
			untilReadable('/dev/pmem0'),
			'mount -t ext4 -o dax=always /dev/pmem0 /mnt && grep /mnt /proc/mounts',
		];
		const guest = await runInLinux(machine, {pcie}, [
			...drivers,
			'mkdir -p /mnt; echo waiting=yes',
			...mounts,
			'echo content=$(sha256sum </mnt/content)',
			'dd if=/dev/urandom of=/mnt/new bs=64k count=8 conv=fsync 2>/dev/null; echo new=$(sha256sum </mnt/new)',
			'umount /mnt; echo synced=yes',
			until('[ ! -e /sys/block/pmem0 ]'),
			'echo gone=yes',
			...mounts,
			'echo again=$(sha256sum </mnt/new)',
			'umount /mnt',
			complaints,
			'echo all=done',
		]);
		const memory = {kind: 'virtio-pmem', options: {memory: {kind: 'file', path}}} as const;
		await guest.waitFor(/^waiting=yes/m);
		await guest.vm.addPcieDevice('rp0', memory);
		t.false(await isFree());
		await guest.waitFor(/^synced=yes/m);
		await guest.vm.removePcieDevice('rp0', {asks: true});
		t.true(await isFree(), 'the lock is released');
		await guest.waitFor(/^gone=yes/m);
		await guest.vm.addPcieDevice('rp0', memory);
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
		t.is(guest.output.match(/\/mnt ext4 .*dax=always/g)?.length, 2, guest.output);
		t.regex(guest.output, new RegExp(`^content=${digest(content)}`, 'm'));
		const [, written] = /^new=([0-9a-f]{64})/m.exec(guest.output) ?? [];
		t.regex(guest.output, new RegExp(`^again=${written}`, 'm'));
		t.regex(guest.output, /^all=done/m);
		t.notRegex(guest.output, /WARNING: CPU|BUG:|Call Trace|I\/O error|EXT4-fs error/);
		t.true(await isFree());
		if (hasExt4Tools) checkExt4(t, path);
	},
);

linuxTest('a file that is cut under memory ends its machine, and not the process', async (t, machine) => {
	const path = join(folderOf(t), 'raw.img');
	writeFileSync(path, randomBytes(4 * mib));
	const guest = await runInLinux(machine, {pcie: ports, devices: flagged({'virtio-pmem': [`pcie_port=rp0:${path}`]})}, [
		...drivers,
		untilReadable('/dev/pmem0'),
		'echo first=$(dd if=/dev/pmem0 bs=4k count=1 iflag=direct 2>/dev/null | wc -c)',
		'while true; do dd if=/dev/pmem0 of=/dev/null bs=4k skip=512 iflag=direct 2>/dev/null; done',
	]);
	await guest.waitFor(/^first=4096\r?$/m);
	truncateSync(path, 2 * mib);
	const end = await guest.vm.ended;
	t.is(end.kind, 'error', guest.output);
	// What KVM itself touches gives no signal.
	if (end.kind === 'error')
		t.regex(`${end.error.code} ${end.error.message}`, /DEVICE_FAILED.*its memory|KVM_RUN_FAILED/);
});
