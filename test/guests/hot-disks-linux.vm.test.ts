import {createHash, randomBytes} from 'node:crypto';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {open} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {parsePcieRootComplex, parsePcieRootPort} from '#main/config';
import {checkParams, machineOperations, type Operation} from '#main/operations';
import {lockFile} from '#support/ffi';
import {flagged, linuxTest, runInLinux, type TestVm, until, untilReadable} from '#test/petri';

const mib = 2 ** 20;

/** A file that is to be a disk, gone with the test. */
function newDisk(t: ExecutionContext): string {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-hot-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	const path = join(folder, 'disk.img');
	writeFileSync(path, randomBytes(8 * mib));
	return path;
}

/** Nobody has the file for itself. */
async function isFree(path: string): Promise<boolean> {
	await using file = await open(path, 'r');
	return lockFile(file.fd) === 0;
}

const pcie = {
	rootComplexes: [parsePcieRootComplex('rc0,end_bus=15')],
	rootPorts: ['rp0,hotplug', 'rp1,hotplug'].map((text) => parsePcieRootPort(`rc0:${text}`)),
};

/** As a person asks for it on a line. */
async function perform({vm}: TestVm, wanted: string, words: Readonly<Record<string, string>>): Promise<unknown> {
	const {name, params, run} = machineOperations.find((one) => one.name === wanted) as Operation;
	const values = Object.entries(words).map(([key, word]) => [key, params[key]?.kind.parse(word, name)] as const);
	return await run(vm, checkParams(name, params, Object.fromEntries(values)), {quit() {}});
}
const add = (guest: TestVm, port: string, device: string) => perform(guest, 'pcie-add', {port, device});

const zeros = createHash('sha256')
	.update(new Uint8Array(mib / 4))
	.digest('hex');

const virtio = {device: 'virtio-blk,disk=', node: 'vda', drivers: 'virtio_pci virtio_blk'};
const scsi = {device: 'virtio-scsi,serial=hot,units=0:', node: 'sda', drivers: 'virtio_pci virtio_scsi sd_mod'};
const nvme = {device: 'nvme,serial=hot,namespaces=1:', node: 'nvme0n1', drivers: 'nvme'};
const comes = (node: string) => until(`[ -e /sys/block/${node}/dev ]`);
const goes = (node: string) => until(`[ ! -e /sys/block/${node} ]`);
/** A name of the disk that stays when the disk goes: whoever writes to one in /dev that has gone makes a file. */
const named = (node: string) => `rm -f /tmp/disk; mknod /tmp/disk b $(tr : ' ' </sys/block/${node}/dev)`;

// Linux's drivers of virtio wait without an end for a request that they give to a disk that has gone: see guide/pcie.md.
for (const {device, node, drivers, when} of [
	{...virtio, when: 'at rest'},
	{...scsi, when: 'at rest'},
	{...nvme, when: 'amid writes'},
])
	linuxTest(`Linux takes ${node} while it runs, loses it ${when}, and gets it again`, async (t, machine) => {
		const path = newDisk(t);
		const write = `dd if=/dev/zero of=/tmp/disk bs=4k count=64 seek=64 oflag=direct conv=notrunc 2>/dev/null`;
		const guest = await runInLinux(machine, {processors: {count: 2}, pcie}, [
			`dmesg -c >/dev/null; modprobe -a ${drivers}; echo waiting=yes`,
			comes(node),
			named(node),
			untilReadable('/tmp/disk'),
			`dd if=/dev/zero of=/tmp/disk bs=64k count=4 oflag=direct 2>/dev/null && echo written=yes`,
			...(when === 'amid writes' ? [`while ${write}; do :; done`] : []),
			goes(node),
			'echo gone=yes',
			comes(node),
			named(node),
			untilReadable('/tmp/disk'),
			`echo again=$(dd if=/tmp/disk bs=64k count=4 iflag=direct 2>/dev/null | sha256sum)`,
			"dmesg | grep -E 'WARNING: CPU|BUG:|Call Trace|hung'",
			'echo all=done',
		]);
		await guest.waitFor(/^waiting=yes/m);
		t.deepEqual(await add(guest, 'rp0', `${device}${path}`), {name: device.split(',')[0]});
		t.false(await isFree(path));
		await guest.waitFor(/^written=yes/m);
		t.true(
			readFileSync(path)
				.subarray(0, mib / 4)
				.every((byte) => byte === 0),
		);
		await guest.vm.removePcieDevice('rp0');
		t.true(await isFree(path), 'the lock is released');
		await guest.waitFor(/^gone=yes/m);
		await add(guest, 'rp1', `${device}${path}`);
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
		t.regex(guest.output, new RegExp(`^again=${zeros}`, 'm'));
		t.notRegex(guest.output, /WARNING: CPU|BUG:|Call Trace/);
		t.true(await isFree(path));
	});

for (const {device, node, drivers} of [virtio, scsi, nvme])
	linuxTest(`Linux lets go of ${node} when it is asked, amid writes, and gets it again`, async (t, machine) => {
		const path = newDisk(t);
		const ports = {...pcie, rootPorts: [parsePcieRootPort('rc0:rp0,hotplug,button')]};
		const write = `dd if=/dev/zero of=/tmp/disk bs=4k count=64 oflag=direct conv=notrunc`;
		const guest = await runInLinux(machine, {processors: {count: 2}, pcie: ports}, [
			`dmesg -c >/dev/null; modprobe -a ${drivers}; echo waiting=yes`,
			comes(node),
			named(node),
			untilReadable('/tmp/disk'),
			'echo here=yes',
			`while [ -e /sys/block/${node} ]; do ${write} 2>/dev/null; done`,
			goes(node),
			'echo gone=yes',
			comes(node),
			named(node),
			untilReadable('/tmp/disk'),
			`echo again=$(dd if=/tmp/disk bs=64k count=4 iflag=direct 2>/dev/null | sha256sum)`,
			"dmesg | grep -E 'WARNING: CPU|BUG:|Call Trace|hung'",
			'echo all=done',
		]);
		await guest.waitFor(/^waiting=yes/m);
		await t.throwsAsync(guest.vm.removePcieDevice('rp0', {asks: true}), {code: 'HOT_PLUG_SLOT_EMPTY'});
		await add(guest, 'rp0', `${device}${path}`);
		await guest.waitFor(/^here=yes/m);
		await guest.vm.removePcieDevice('rp0', {asks: true});
		t.true(await isFree(path), 'the lock is released');
		await guest.waitFor(/^gone=yes/m);
		await add(guest, 'rp0', `${device}${path}`);
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
		t.regex(guest.output, new RegExp(`^again=${zeros}`, 'm'));
		t.notRegex(guest.output, /WARNING: CPU|BUG:|Call Trace/);
	});

linuxTest(
	'Linux takes a namespace of a controller that runs, loses it amid writes, and gets another one',
	async (t, machine) => {
		const [first, second, third] = [newDisk(t), newDisk(t), newDisk(t)];
		const options = {
			processors: {count: 2},
			pcie: {...pcie, rootPorts: [parsePcieRootPort('rc0:rp0')]},
			devices: flagged({'nvme-pci': ['id=fast,pcie_port=rp0,workers=2'], disk: [`${first},on=fast`]}),
		};
		const node = (nsid: number) => `$(dirname $(grep -l '^${nsid}$' /sys/block/nvme*/nsid))`;
		const isThere = (nsid: number) => `grep -qs '^${nsid}$' /sys/block/nvme*/nsid`;
		const named = (nsid: number) => `rm -f /tmp/disk; mknod /tmp/disk b $(tr : ' ' <${node(nsid)}/dev)`;
		const guest = await runInLinux(machine, options, [
			'dmesg -c >/dev/null; modprobe nvme',
			until(isThere(1)),
			'echo waiting=yes',
			until(isThere(7)),
			named(7),
			untilReadable('/tmp/disk'),
			`echo sectors=$(cat ${node(7)}/size)`,
			'taskset 1 dd if=/dev/zero of=/tmp/disk bs=64k count=4 oflag=direct 2>/dev/null',
			`taskset 2 dd if=/tmp/disk bs=64k count=4 iflag=direct 2>/dev/null | sha256sum | sed s/^/written=/`,
			`while ${isThere(7)}; do dd if=/dev/zero of=/tmp/disk bs=4k count=64 seek=64 oflag=direct conv=notrunc 2>/dev/null; done`,
			'echo gone=yes',
			until(isThere(8)),
			named(8),
			untilReadable('/tmp/disk'),
			'echo again=$(dd if=/tmp/disk bs=64k count=4 iflag=direct 2>/dev/null | sha256sum)',
			"dmesg | grep -E 'WARNING: CPU|BUG:|Call Trace|hung'",
			'echo all=done',
		]);
		await guest.waitFor(/^waiting=yes/m);
		const controller = 'fast';
		t.deepEqual(await perform(guest, 'disk-add', {controller, disk: `${second},nsid=7,iops=100000`}), {number: 7});
		t.false(await isFree(second));
		await guest.waitFor(new RegExp(`^written=${zeros}`, 'm'));
		await t.throwsAsync(perform(guest, 'disk-add', {controller, disk: `${third}.none`}), {code: 'DISK_FILE_UNUSABLE'});
		await perform(guest, 'disk-remove', {controller, number: '7'});
		t.true(await isFree(second), 'the lock is released');
		t.true(
			readFileSync(second)
				.subarray(0, mib / 4)
				.every((byte) => byte === 0),
		);
		await guest.waitFor(/^gone=yes/m);
		writeFileSync(third, new Uint8Array(mib));
		t.deepEqual(await perform(guest, 'disk-add', {controller, disk: `${third},nsid=8,ro`}), {number: 8});
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
		t.regex(guest.output, /^sectors=16384/m);
		t.regex(guest.output, new RegExp(`^again=${zeros}`, 'm'));
		t.notRegex(guest.output, /WARNING: CPU|BUG:|Call Trace/);
		t.true(await isFree(third));
	},
);
