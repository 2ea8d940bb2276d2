import {createHash} from 'node:crypto';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {attachNamespace, detachNamespace} from '#devices/nvme';
import {parsePcieRootComplex, parsePcieRootPort, type VmOptions} from '#main/config';
import type {OpenSnapshot} from '#main/snapshot';
import {flagged, hearButton, linuxTest, runInLinux, type TestVm, until, untilReadable, untilThere} from '#test/petri';
import {diskRounds, goOnAmidRounds} from './testing/disk-rounds.ts';

/** A controller with a file, a disk that is only read and one that is not attached, and a controller without any. */
function machineWith(path: string, create: string): VmOptions {
	return {
		processors: {count: 2},
		pcie: {
			rootComplexes: [parsePcieRootComplex('rc0,end_bus=15')],
			rootPorts: ['rp0', 'rp1'].map((name) => parsePcieRootPort(`rc0:${name}`)),
		},
		devices: flagged({
			'nvme-pci': ['id=fast,pcie_port=rp0,workers=2', 'id=empty,pcie_port=rp1'],
			disk: [`file:${path}${create},on=fast`, 'mem:1M,on=fast,nsid=5,ro', 'mem:2M,on=fast,nsid=9,off'],
		}),
	};
}

/** A file's place that goes with the test. */
function filePlace(t: ExecutionContext): string {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-nvme-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	return join(folder, 'disk.img');
}

const blocks = 64;
const blockBytes = 0x1_0000;
const copy = (from: string, to: string, flags: string) =>
	`dd if=${from} of=${to} bs=64k count=${blocks} ${flags} 2>/dev/null`;
const digest = (name: string, file: string) => `echo ${name}=$(sha256sum <${file} | cut -c 1-64)`;
const complaints = /WARNING: CPU|BUG:|Call Trace|nvme.*(fail|error|timeout|invalid|duplicate|abort)/i;
const messages = "dmesg | grep -v OPENVMM_RUN | grep -E 'nvme|WARNING: CPU|BUG:|Call Trace'";
/** Namespaces are found after their controller. */
const wait = [
	until('[ $(cat /sys/class/nvme/nvme*/state | grep -c live) = 2 ]'),
	untilThere('/dev/nvme*n1', '/dev/nvme*n2'),
	'disk=$(ls -d /dev/nvme*n1)',
	untilReadable('$disk', '/dev/$(basename $disk n1)n2'),
];
/** Finds the disk of the first namespace. Earlier messages are not about these devices: under emulation Linux warns of its processor. */
const begin = ['dmesg -c >/dev/null', 'modprobe nvme', ...wait];
const queue = (file: string) => `${file}=$(cat $it/queue/${file})`;

const [write, read] = [1, 2];
/** Opcodes of the commands, in the places of the queues for I/O, whose data pointers are scatter gather lists (NVM Express Base 2.0, 3.3.3.1). */
async function listedCommands(guest: TestVm): Promise<number[]> {
	const opcodes: number[] = [];
	const command = new Uint8Array(64);
	for (const queue of [1, 2]) {
		const state = (name: string) =>
			guest.inspect(`vm/devices/fast/state/submissions/${queue}/${name}`) as Promise<number>;
		const base = (await state('baseHigh')) * 2 ** 32 + (await state('baseLow'));
		for (let entry = 0; entry < (await state('size')); entry++) {
			guest.vm.memory.copyOut(base + entry * command.length, command, 0, command.length);
			if ((command[1] as number) >>> 6 === 1) opcodes.push(command[0] as number);
		}
	}
	return opcodes;
}

linuxTest(
	'Linux finds controllers and namespaces, writes and reads by every queue, and shuts down',
	async (t, make) => {
		const path = filePlace(t);
		const guest = await runInLinux(make, machineWith(path, ';create=16M'), [
			...begin,
			'for it in /sys/class/nvme/nvme*; do echo controller=$(cat $it/serial) state=$(cat $it/state) queues=$(cat $it/queue_count); done',
			`for it in /sys/block/nvme*; do echo disk=$(cat $it/nsid) sectors=$(cat $it/size) ro=$(cat $it/ro) ${['write_cache', 'discard_max_bytes', 'write_zeroes_max_bytes'].map(queue).join(' ')}; done`,
			copy('/dev/urandom', '/tmp/sent', ''),
			digest('sent', '/tmp/sent'),
			// Each processor has a queue; the last copy has commands as large as there are, with lists.
			`taskset 1 ${copy('/tmp/sent', '$disk', 'oflag=direct')}`,
			`taskset 2 ${copy('$disk', '/tmp/got', 'iflag=direct')}`,
			digest('got', '/tmp/got'),
			'dd if=$disk of=/tmp/large bs=4M count=1 iflag=direct 2>/dev/null',
			digest('large', '/tmp/large'),
			// By scatter gather lists, however small their pieces are.
			'echo 1 >/sys/module/nvme/parameters/sgl_threshold',
			'dd if=/tmp/sent of=$disk bs=4M count=1 seek=1 oflag=direct 2>/dev/null',
			'dd if=$disk of=/tmp/listed bs=4M count=1 skip=1 iflag=direct 2>/dev/null',
			digest('listed', '/tmp/listed'),
			'blkdiscard -o 0 -l 65536 $disk; dd if=$disk of=/tmp/cleared bs=64k count=1 iflag=direct 2>/dev/null',
			'cmp -n 65536 /tmp/cleared /dev/zero && echo discarded=zeros',
			'echo 1 >/sys/class/nvme/$(basename $disk n1)/reset_controller',
			until('[ $(cat /sys/class/nvme/$(basename $disk n1)/state) = live ]'),
			'dd if=$disk of=/tmp/again bs=64k count=63 skip=1 iflag=direct 2>/dev/null',
			'dd if=/tmp/sent of=/tmp/rest bs=64k count=63 skip=1 2>/dev/null',
			'cmp /tmp/again /tmp/rest && echo again=same',
			digest('rest', '/tmp/rest'),
			'dd if=/tmp/sent of=/dev/$(basename $disk n1)n2 bs=512 count=1 2>/dev/null || echo protected=yes',
			'echo wants=one',
			'until grep -q 9 /sys/block/nvme*/nsid; do sleep 1; done',
			'echo attached=$(cat $(dirname $(grep -l 9 /sys/block/nvme*/nsid))/size)',
			'while grep -q 9 /sys/block/nvme*/nsid; do sleep 1; done; echo detached=yes',
			messages,
		]);
		await guest.waitFor(/^wants=one\r?$/m);
		const listed = await listedCommands(guest);
		t.deepEqual([...new Set(listed)].toSorted(), [write, read], 'opcodes of commands with lists');
		await guest.vm.control('fast', attachNamespace(9));
		await guest.waitFor(/^attached=\d+\r?$/m);
		await guest.vm.control('fast', detachNamespace(9));
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
		const {output} = guest;
		const found = (name: string) => new RegExp(`^${name}=(.*?)\r?$`, 'm').exec(output)?.[1];
		t.regex(output, /^controller=fast state=live queues=3\r?$/m, output);
		t.regex(output, /^controller=empty state=live queues=3\r?$/m, output);
		const ofDisk =
			/^disk=1 sectors=32768 ro=0 write_cache=write back discard_\w+=[1-9]\d* write_zeroes_\w+=[1-9]\d*\r?$/m;
		t.regex(output, ofDisk, output);
		t.regex(output, /^disk=5 sectors=2048 ro=1 /m, output);
		t.regex(found('sent') ?? '', /^[0-9a-f]{64}$/, output);
		for (const copied of ['got', 'large', 'listed']) t.is(found(copied), found('sent'), output);
		t.deepEqual([found('discarded'), found('again'), found('protected')], ['zeros', 'same', 'yes'], output);
		t.deepEqual([found('attached'), found('detached')], ['4096', 'yes'], output);
		const content = readFileSync(path);
		const digestOf = (from: number, to: number) =>
			createHash('sha256')
				.update(content.subarray(from * blockBytes, to * blockBytes))
				.digest('hex');
		t.is(found('rest'), digestOf(1, blocks), output);
		t.is(found('sent'), digestOf(blocks, 2 * blocks), output);
		t.notRegex(output, complaints);
		const words = 'vm/devices/fast/words';
		t.is(await guest.inspect(`${words}/doorbells`), 'memory of the driver');
		t.is(await guest.inspect(`${words}/controller`), 'has made all durable');
	},
);

linuxTest('Linux goes on from a snapshot amid what it writes and reads, and loses nothing', async (t, make) => {
	const path = filePlace(t);
	const guest = await runInLinux(make, machineWith(path, ';create=64M'), [
		...begin,
		hearButton,
		diskRounds('$disk'),
		messages,
	]);
	const restore = (snapshot: OpenSnapshot) => make({...machineWith(path, ''), boot: {kind: 'none'}}, {snapshot});
	const output = await goOnAmidRounds(t, guest, restore, () => readFileSync(path));
	t.notRegex(output, complaints);
});
