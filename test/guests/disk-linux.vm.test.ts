import {spawn, spawnSync} from 'node:child_process';
import {createHash, randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {measureDisk} from '#devices/storage/source';
import {parsePcieRootComplex, parsePcieRootPort} from '#main/config';
import {convertDisk} from '#main/disk-images';
import type {OpenSnapshot} from '#main/snapshot';
import type {NoticeOfDevice} from '#main/vm';
import {flagged, hearButton, linuxTest, runInLinux, until, untilReadable} from '#test/petri';
import {diskRounds, goOnAmidRounds, roundsBytes} from './testing/disk-rounds.ts';

const mebibyte = 2 ** 20;
const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Folder of a test, gone with it. */
function folderOf(t: ExecutionContext): string {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-disk-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	return folder;
}

const disks = (...written: readonly string[]) => flagged({'virtio-blk': written});
const digestOf = (name: string, disk: string, skip: number, count: number) =>
	`echo ${name}=$(dd if=/dev/${disk} bs=64k skip=${skip} count=${count} iflag=direct 2>/dev/null | sha256sum)`;

const complaints = "dmesg | grep -v OPENVMM_RUN | grep -E 'I/O error|WARNING: CPU|BUG:|Call Trace'";

linuxTest('Linux reads what is in a file and writes to it, discards, and follows its length', async (t, machine) => {
	const folder = folderOf(t);
	const [path, readOnly] = [join(folder, 'disk.img'), join(folder, 'only-read.img')];
	const content = randomBytes(16 * mebibyte);
	writeFileSync(path, content);
	writeFileSync(readOnly, content.subarray(0, mebibyte));
	const pcie = {
		rootComplexes: [parsePcieRootComplex('rc0,end_bus=15')],
		rootPorts: [parsePcieRootPort('rc0:rp0')],
	};
	const devices = disks(
		`file:${path},pcie_port=rp0,num_queues=2,workers=2,serial=first`,
		`${readOnly};engine=threads,ro,serial=second`,
	);
	const queue = (name: string) => `echo ${name}=$(cat /sys/block/$D/queue/${name})`;
	const guest = await runInLinux(machine, {processors: {count: 2}, pcie, devices}, [
		'dmesg -c >/dev/null',
		'modprobe -a virtio_pci virtio_mmio virtio_blk',
		untilReadable('/dev/vda', '/dev/vdb'),
		// Which is which is the bus's.
		'for d in vda vdb; do if [ $(cat /sys/block/$d/serial) = first ]; then D=$d; else R=$d; fi; done',
		'echo ro=$(cat /sys/block/$D/ro)$(cat /sys/block/$R/ro) cache=$(cat /sys/block/$D/queue/write_cache)',
		...['discard_max_bytes', 'write_zeroes_max_bytes', 'physical_block_size', 'discard_granularity'].map(queue),
		digestOf('whole', '$D', 0, 256),
		digestOf('second', '$R', 0, 16),
		'dd if=/dev/urandom of=/tmp/sent bs=64k count=32 2>/dev/null',
		'dd if=/tmp/sent of=/dev/$D bs=64k seek=64 oflag=direct conv=notrunc 2>/dev/null',
		'dd if=/tmp/sent of=/dev/$D bs=64k seek=128 conv=fsync,notrunc 2>/dev/null',
		'echo sent=$(sha256sum </tmp/sent)',
		'dd if=/dev/zero of=/dev/$R bs=4k count=1 2>/dev/null || echo refused=yes',
		'echo write through >/sys/block/$D/queue/write_cache; echo through=$(cat /sys/block/$D/cache_type)',
		'echo write through >/sys/block/$D/cache_type; echo through=$(cat /sys/block/$D/cache_type)',
		'dd if=/tmp/sent of=/dev/$D bs=64k seek=192 oflag=direct conv=notrunc 2>/dev/null',
		'echo ready=yes',
		until('[ $(cat /sys/block/$D/size) != 32768 ]'),
		'echo grown=$(cat /sys/block/$D/size)',
		complaints,
		'echo all=done; sleep 10000',
	]);
	await guest.waitFor(/^ready=yes\r?$/m);
	const sent = /^sent=(\w+)/m.exec(guest.output)?.[1] ?? 'nothing';
	t.regex(guest.output, /^ro=01 cache=write back\r?$/m, guest.output);
	t.regex(guest.output, /^discard_max_bytes=[1-9]/m, guest.output);
	t.regex(guest.output, /^write_zeroes_max_bytes=[1-9]/m);
	t.regex(guest.output, /^physical_block_size=4096/m);
	t.regex(guest.output, new RegExp(`^whole=${digest(content)}`, 'm'));
	t.regex(guest.output, new RegExp(`^second=${digest(content.subarray(0, mebibyte))}`, 'm'));
	t.regex(guest.output, /^refused=yes\r?$/m);
	t.regex(guest.output, /^through=write through\r?$/m);
	const after = readFileSync(path);
	for (const start of [4, 8, 12])
		t.is(digest(after.subarray(start * mebibyte, (start + 2) * mebibyte)), sent, `what was written at ${start} MiB`);
	t.is(digest(after.subarray(0, 4 * mebibyte)), digest(content.subarray(0, 4 * mebibyte)), 'and nothing beside it');
	t.is(digest(readFileSync(readOnly)), digest(content.subarray(0, mebibyte)));
	t.is(await guest.inspect('vm/devices/virtio-blk-mmio/words/disk'), 'threads');
	truncateSync(path, 24 * mebibyte);
	await guest.vm.control('virtio-blk', measureDisk);
	await guest.waitFor(/^all=done\r?$/m);
	t.regex(guest.output, /^grown=49152\r?$/m);
	t.notRegex(guest.output.replace(/^.*\/dev\/\$R.*$/m, ''), /WARNING: CPU|BUG:|Call Trace|I\/O error/);
});

const snapshotTest = (name: string) =>
	linuxTest(`a snapshot amid writes to ${name} goes on with them, and none is lost`, async (t, machine) => {
		const folder = folderOf(t);
		const [path, raw] = [join(folder, name), join(folder, 'copy.raw')];
		const options = {processors: {count: 2}};
		const guest = await runInLinux(machine, {...options, devices: disks(`${path};create=${roundsBytes}`)}, [
			'dmesg -c >/dev/null',
			'modprobe -a virtio_mmio virtio_blk',
			untilReadable('/dev/vda'),
			hearButton,
			diskRounds('/dev/vda'),
			complaints,
		]);
		const restore = (snapshot: OpenSnapshot) =>
			machine({...options, boot: {kind: 'none'}, devices: disks(path)}, {snapshot});
		const output = await goOnAmidRounds(t, guest, restore, async () => {
			await convertDisk({path}, {path: raw});
			return readFileSync(raw);
		});
		t.notRegex(output, /I\/O error|WARNING: CPU|BUG:|Call Trace/);
	});

snapshotTest('disk.img');
snapshotTest('disk.qcow2');

const mount = (options: string) => `mount -t tmpfs -o ${options} openvmm /mnt`;

/** Who may mount here, as unshare(1) has it: a user may where he is root among users of his own. Undefined where nobody may. */
const mounter = [[], ['--user', '--map-root-user']].find(
	(user) => spawnSync('unshare', [...user, '--mount', 'sh', '-c', mount('size=1M')]).status === 0,
);

/** A file system of the host's of so many bytes, gone with the test. */
async function smallFileSystem(t: ExecutionContext, bytes: number): Promise<string> {
	const script = `${mount(`size=${bytes}`)} && echo ready && exec sleep 10000`;
	const child = spawn('unshare', [...(mounter ?? []), '--mount', 'sh', '-c', script], {
		stdio: ['ignore', 'pipe', 'ignore'],
	});
	const ended = once(child, 'close');
	t.teardown(async () => {
		child.kill('SIGKILL');
		await ended;
	});
	const [told] = await Promise.race([once(child.stdout, 'data'), ended]);
	t.is(`${told}`, 'ready\n');
	return `/proc/${child.pid}/root/mnt`;
}

linuxTest(
	'a host without room is an error of the guest where that is the policy, or pauses the machine, which goes on without loss when there is room; and its owner is told of either',
	async (t, machine) => {
		const folder = await smallFileSystem(t, 16 * mebibyte);
		const filler = join(folder, 'filler');
		writeFileSync(filler, Buffer.alloc(12 * mebibyte));
		const [path, other] = [join(folder, 'disk.img'), join(folder, 'other.img')];
		const blocks = 128;
		const devices = disks(
			`${path};create=8M,enospc=stop,serial=stops`,
			`${other};create=8M,on_error=report,serial=reports`,
		);
		const notices: NoticeOfDevice[] = [];
		const deviceNoticed = (notice: NoticeOfDevice) => void notices.push(notice);
		const guest = await runInLinux((options) => machine(options, {deviceNoticed}), {devices}, [
			'dmesg -c >/dev/null',
			'modprobe -a virtio_mmio virtio_blk',
			untilReadable('/dev/vda', '/dev/vdb'),
			'for d in vda vdb; do if [ $(cat /sys/block/$d/serial) = stops ]; then D=$d; else R=$d; fi; done',
			'echo disks=$D,$R',
			'dd if=/dev/urandom of=/dev/$R bs=64k count=128 conv=fsync,notrunc 2>/dev/null || echo refused=yes',
			'dmesg -c | grep -q "I/O error, dev $R" && echo told=yes',
			`dd if=/dev/urandom of=/tmp/sent bs=64k count=${blocks} 2>/dev/null`,
			'echo begun=yes',
			`dd if=/tmp/sent of=/dev/$D bs=64k conv=fsync,notrunc 2>/dev/null && echo written=yes`,
			'echo sent=$(sha256sum </tmp/sent)',
			digestOf('got', '$D', 0, blocks),
			complaints,
			'echo all=done; sleep 10000',
		]);
		await guest.waitFor(/^begun=yes\r?$/m);
		while (guest.vm.state === 'running') await sleep(50);
		t.is(guest.vm.state, 'paused', guest.output);
		t.notRegex(guest.output, /^written=/m);
		const failures = await guest.inspect('vm/devices/virtio-blk-mmio/disks/0/failures');
		t.true(Number(failures) > 0, `${failures}`);
		for (const line of ['refused', 'told']) t.regex(guest.output, new RegExp(`^${line}=yes\\r?$`, 'm'));
		const noticesOf = (device: string, action: string) => {
			const found = notices.filter((notice) => notice.device === device);
			t.true(found.length > 0, device);
			for (const {kind, details, message, pauses} of found) {
				t.is(kind, 'disk-error');
				t.like(details, {disk: 0, operation: 'write', error: 'no-space', action});
				t.regex(message, /^Disk 0: write of \d+ bytes at \d+ has no room on the host/);
				t.is(pauses, action === 'stop');
			}
		};
		noticesOf('virtio-blk-mmio', 'stop');
		noticesOf('virtio-blk-mmio-2', 'report');
		rmSync(filler);
		await guest.vm.resume();
		await guest.waitFor(/^all=done\r?$/m);
		t.regex(guest.output, /^written=yes\r?$/m, guest.output);
		const [sent, got] = ['sent', 'got'].map((name) => new RegExp(`^${name}=(\\w+)`, 'm').exec(guest.output)?.[1]);
		t.truthy(sent);
		t.is(got, sent);
		t.is(digest(readFileSync(path)), `${sent}`);
		const [, reporting = ''] = /^disks=\w+,(\w+)/m.exec(guest.output) ?? [];
		t.notRegex(guest.output, new RegExp(`WARNING: CPU|BUG:|Call Trace|I/O error, dev (?!${reporting})`));
		await guest.vm.stop();
	},
	{skip: mounter === undefined},
);
