import {createHash, randomBytes} from 'node:crypto';
import {mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {attachUnit, detachUnit, ejectMedium, insertMedium} from '#devices/storage/scsi';
import {measureDisk} from '#devices/storage/source';
import {parsePcieRootComplex, parsePcieRootPort, type VmOptions} from '#main/config';
import type {OpenSnapshot} from '#main/snapshot';
import {flagged, hearButton, linuxTest, pressed, runInLinux, until, untilReadable, untilThere} from '#test/petri';
import {diskRounds, goOnAmidRounds} from './testing/disk-rounds.ts';
import {isoImage} from './testing/iso-image.ts';

const mebibyte = 2 ** 20;
const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Folder of a test, gone with it. */
function folderOf(t: ExecutionContext): string {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-scsi-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	return folder;
}

/** A controller with two queues and threads, on PCI Express or on MMIO. */
const machineWith = (disks: readonly string[], place = ',pcie_port=rp0'): VmOptions => ({
	processors: {count: 2},
	pcie: {
		rootComplexes: [parsePcieRootComplex('rc0,end_bus=15')],
		rootPorts: [parsePcieRootPort('rc0:rp0')],
	},
	devices: flagged({
		'virtio-scsi': [`id=scsi0${place},num_queues=2,workers=2`],
		disk: disks.map((disk) => `${disk},on=scsi0`),
	}),
});

const blocks = 64;
const copy = (from: string, to: string, flags: string) =>
	`dd if=${from} of=${to} bs=64k count=${blocks} ${flags} 2>/dev/null`;
const digest = (name: string, file: string) => `echo ${name}=$(sha256sum <${file} | cut -c 1-64)`;
/** A retry after a unit attention is as it should be; a failure that reaches the log is not. */
const complaints =
	/WARNING: CPU|BUG:|Call Trace|I\/O error|FAILED Result|Sense Key|virtio_scsi.*(fail|error|not found)/i;
const messages = "dmesg | grep -v OPENVMM_RUN | grep -E 'sd |sr |scsi|I/O error|WARNING: CPU|BUG:|Call Trace'";
/** Earlier messages are not about these devices: under emulation Linux warns of its processor. */
const begin = ['dmesg -c >/dev/null', 'modprobe -a virtio_pci virtio_mmio virtio_scsi sd_mod sr_mod'];
const units = '/sys/class/scsi_device';
const nodeOf = (lun: number) => `${units}/0:0:0:${lun}/device/block`;
/** Units are found after their controller. */
const hasUnits = (...luns: readonly number[]) => untilThere(...luns.map((lun) => `${nodeOf(lun)}/*/size`));
/** The first unit's device node, and what the kernel has of it. */
const disk = [`D=/dev/$(ls ${nodeOf(0)})`, `Q=$(echo ${nodeOf(0)}/*)`];

linuxTest(
	'Linux finds disks, writes and reads by every queue, discards, and follows what comes, goes and grows',
	async (t, make) => {
		const path = join(folderOf(t), 'disk.img');
		const machine = machineWith([`file:${path};create=16M`, 'mem:1M,lun=5,ro', 'mem:2M,lun=9,off']);
		const queue = (name: string) => `${name}=$(cat $Q/queue/${name})`;
		const guest = await runInLinux(make, machine, [
			...begin,
			hasUnits(0, 5),
			`for d in ${units}/*; do echo unit=$(basename $d) type=$(cat $d/device/type) model=$(cat $d/device/model); done`,
			...disk,
			untilReadable('$D', `/dev/$(ls ${nodeOf(5)})`),
			`S=$(echo ${units}/0:0:0:0/device/scsi_disk/*)`,
			`echo disk=$(cat $Q/size) ${['discard_max_bytes', 'write_zeroes_max_bytes'].map(queue).join(' ')} cache=$(cat $S/cache_type) fua=$(cat $S/FUA)`,
			`echo wwid=$(cat ${units}/0:0:0:0/device/wwid)`,
			copy('/dev/urandom', '/tmp/sent', ''),
			digest('sent', '/tmp/sent'),
			// Each processor has a queue.
			`taskset 1 ${copy('/tmp/sent', '$D', 'oflag=direct')}`,
			`taskset 2 ${copy('$D', '/tmp/got', 'iflag=direct')}`,
			digest('got', '/tmp/got'),
			'dd if=$D of=/tmp/large bs=4M count=1 iflag=direct 2>/dev/null',
			digest('large', '/tmp/large'),
			'blkdiscard -o 0 -l 65536 $D && echo discarded=yes',
			`dd if=/tmp/sent of=/dev/$(ls ${nodeOf(5)}) bs=512 count=1 2>/dev/null || echo protected=yes`,
			'echo write through >$S/cache_type; echo through=$(cat $S/cache_type)',
			'dd if=/tmp/sent of=$D seek=100 bs=64k count=1 skip=2 oflag=direct 2>/dev/null',
			'echo wants=unit',
			hasUnits(9),
			`echo attached=$(cat ${nodeOf(9)}/*/size)`,
			`while [ -e ${nodeOf(9)} ]; do sleep 0.5; done; echo detached=yes`,
			'while [ $(cat $Q/size) = 32768 ]; do sleep 0.5; done; echo grown=$(cat $Q/size)',
			messages,
		]);
		await guest.waitFor(/^wants=unit\r?$/m);
		await guest.vm.control('scsi0', attachUnit(9));
		await guest.waitFor(/^attached=\d+\r?\n/m);
		await guest.vm.control('scsi0', detachUnit(9));
		await guest.waitFor(/^detached=yes\r?$/m);
		truncateSync(path, 24 * mebibyte);
		await guest.vm.control('scsi0', measureDisk);
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
		const {output} = guest;
		const found = (name: string) => new RegExp(`^${name}=(.*?)\r?$`, 'm').exec(output)?.[1];
		t.regex(output, /^unit=0:0:0:0 type=0 model=Virtual Disk\r?$/m, output);
		t.regex(output, /^unit=0:0:0:5 type=0/m, output);
		t.notRegex(output, /^unit=0:0:0:9/m);
		t.regex(output, /^disk=32768 discard_\w+=[1-9]\d* write_zeroes_\w+=[1-9]\d* cache=write back fua=1\r?$/m, output);
		t.regex(output, /^wwid=t10\.Msft +scsi0-0\r?$/m, output);
		t.regex(found('sent') ?? '', /^[0-9a-f]{64}$/, output);
		t.deepEqual([found('got'), found('large')], [found('sent'), found('sent')], output);
		t.deepEqual([found('discarded'), found('protected')], ['yes', 'yes'], output);
		t.is(found('through'), 'write through', output);
		t.deepEqual([found('attached'), found('detached'), found('grown')], ['4096', 'yes', '49152'], output);
		const content = readFileSync(path);
		t.deepEqual([...new Set(content.subarray(0, 0x1_0000))], [0], 'what was discarded');
		const [from, to] = [2, 100].map((block) => digestOf(content.subarray(block * 0x1_0000, (block + 1) * 0x1_0000)));
		t.is(from, to, 'what was written through the cache is where it belongs');
		t.is(content.length, 24 * mebibyte);
		// The one that has gone is flushed when it is not there any more.
		t.notRegex(output.replace(/^.* 0:0:0:9: .*$/gm, ''), complaints);
		t.regex(
			(await guest.inspect('vm/devices/scsi0/words/units')) as string,
			/^0: 25165824 bytes by \w+; 5: .*only read; 9: .*not attached$/,
		);
	},
);

linuxTest(
	'Linux mounts a disc of a controller on MMIO, and another that comes into the drive in its place, and ejects that',
	async (t, make) => {
		const iso = join(folderOf(t), 'disc.iso');
		const contents = [randomBytes(3 * mebibyte), randomBytes(5 * mebibyte - 1000)] as const;
		const [first, second] = [isoImage(contents[0]), isoImage(contents[1])];
		writeFileSync(iso, first);
		const mount = (name: string) => `mount -t iso9660 -o ro /dev/sr0 /mnt && ${digest(name, '/mnt/content')}`;
		const readDisc = 'dd if=/dev/sr0 of=/tmp/disc bs=64k 2>/dev/null';
		const guest = await runInLinux(make, machineWith([`${iso},lun=3,dvd`], ''), [
			...begin,
			hasUnits(3),
			untilReadable('/dev/sr0'),
			hearButton,
			`for d in ${units}/*; do echo unit=$(basename $d) type=$(cat $d/device/type) model=$(cat $d/device/model); done`,
			readDisc,
			digest('disc', '/tmp/disc'),
			'modprobe isofs',
			mount('content'),
			'umount /mnt',
			// A drive is not read while its medium goes: what is under way then fails, as it should.
			'echo wants=none',
			until(pressed(1)),
			`${readDisc} || echo empty=yes`,
			'echo wants=medium',
			until(pressed(2)),
			untilReadable('/dev/sr0'),
			'echo size=$(cat /sys/block/sr0/size)',
			readDisc,
			digest('other', '/tmp/disc'),
			mount('others'),
			// The guest has no program that ejects: its kernel does, when nobody has the disc open any more.
			'echo 1 >/proc/sys/dev/cdrom/autoeject',
			'umount /mnt',
			messages,
		]);
		await guest.waitFor(/^wants=none\r?$/m);
		const other = `${iso}.other`;
		writeFileSync(other, second);
		await guest.vm.control('scsi0', ejectMedium(3, true));
		await guest.vm.powerButton();
		await guest.waitFor(/^wants=medium\r?$/m);
		await guest.vm.control('scsi0', insertMedium(3, false, other));
		await guest.vm.powerButton();
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
		const {output} = guest;
		const found = (name: string) => new RegExp(`^${name}=(.*?)\r?$`, 'm').exec(output)?.[1];
		t.regex(output, /^unit=0:0:0:3 type=5 model=Virtual DVD-ROM\r?$/m, output);
		t.is(found('disc'), digestOf(first), output);
		t.deepEqual([found('empty'), found('size')], ['yes', `${second.length / 512}`], output);
		t.is(found('other'), digestOf(second), output);
		t.deepEqual([found('content'), found('others')], contents.map(digestOf), output);
		t.notRegex(output, complaints);
		t.is(
			((await guest.inspect('vm/devices/scsi0/words/units')) as string).replace(/by \w+/, 'by it'),
			`3: a drive with ${second.length} bytes by it, ejected`,
		);
	},
);

linuxTest('Linux goes on from a snapshot amid what it writes and reads, and loses nothing', async (t, make) => {
	const path = join(folderOf(t), 'disk.img');
	const guest = await runInLinux(make, machineWith([`file:${path};create=64M`]), [
		...begin,
		hasUnits(0),
		...disk,
		untilReadable('$D'),
		hearButton,
		diskRounds('$D'),
		messages,
	]);
	const restore = (snapshot: OpenSnapshot) =>
		make({...machineWith([`file:${path}`]), boot: {kind: 'none'}}, {snapshot});
	const output = await goOnAmidRounds(t, guest, restore, () => readFileSync(path));
	t.notRegex(output, complaints);
});
