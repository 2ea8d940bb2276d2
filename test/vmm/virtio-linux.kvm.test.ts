import {parsePcieRootComplex, parsePcieRootPort, type VmOptions} from '#main/config';
import {linuxTest, runInLinux} from '#test/petri';

const disk = {bytes: 16 * 2 ** 20, queues: 2, id: 'ram-disk'};
/** A disk with two queues and entropy, on each bus. */
const machines: Readonly<Record<'pci' | 'mmio', VmOptions>> = {
	pci: {
		pcie: {
			rootComplexes: [parsePcieRootComplex('rc0,end_bus=15')],
			rootPorts: ['rp0', 'rp1'].map((name) => parsePcieRootPort(`rc0:${name}`)),
		},
		devices: [
			{kind: 'virtio-blk', port: 'rp0', options: disk},
			{kind: 'virtio-rng', port: 'rp1'},
		],
	},
	mmio: {
		devices: [
			{kind: 'virtio-blk-mmio', options: {...disk, base: 0xd000_0000, irq: 20}},
			{kind: 'virtio-rng-mmio', options: {base: 0xd000_1000, irq: 21}},
		],
	},
};

/** Writes the disk on one processor, which has a queue of its own, and reads it on the other, past the page cache. */
const copy = (round: string, write: number, read: number) => [
	'dd if=/dev/urandom of=/tmp/sent bs=64k count=64 2>/dev/null',
	`taskset ${write} dd if=/tmp/sent of=/dev/vda bs=64k oflag=direct 2>/dev/null`,
	`taskset ${read} dd if=/dev/vda of=/tmp/got bs=64k count=64 iflag=direct 2>/dev/null`,
	`cmp /tmp/sent /tmp/got && echo ${round}=same`,
];
const driver = '/sys/bus/virtio/drivers/virtio_blk';

for (const bus of ['pci', 'mmio'] as const) {
	linuxTest(`Linux takes entropy, and writes and reads a disk by both queues, over ${bus}`, async (t) => {
		const guest = await runInLinux(t, {processors: {count: 2}, ...machines[bus]}, [
			`modprobe -a virtio_${bus} virtio_blk virtio-rng`,
			'sleep 1',
			'echo queues=$(ls /sys/block/vda/mq | wc -l) sectors=$(cat /sys/block/vda/size) serial=$(cat /sys/block/vda/serial)',
			'echo rng=$(cat /sys/class/misc/hw_random/rng_current) bytes=$(head -c 100 /dev/hwrng | wc -c)',
			...copy('first', 1, 2),
			...copy('second', 2, 1),
			// The driver resets the device, and finds its data again.
			`it=$(basename $(readlink /sys/block/vda/device))`,
			`echo $it >${driver}/unbind; sleep 1; echo $it >${driver}/bind; sleep 1`,
			`dd if=/dev/vda of=/tmp/again bs=64k count=64 iflag=direct 2>/dev/null; cmp /tmp/sent /tmp/again && echo again=same`,
			'cat /proc/interrupts',
			'dmesg | grep -i virtio',
		]);
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
		t.regex(guest.output, /^queues=2 sectors=32768 serial=ram-disk\r?$/m, guest.output);
		t.regex(guest.output, /^rng=virtio_rng\.0 bytes=100\r?$/m, guest.output);
		for (const round of ['first', 'second', 'again'])
			t.regex(guest.output, new RegExp(`^${round}=same\\r?$`, 'm'), guest.output);
		if (bus === 'pci') for (const queue of [0, 1]) t.regex(guest.output, new RegExp(`virtio\\d-req\\.${queue}`));
		t.notRegex(guest.output, /virtio.*(fail|error|not a head|bogus)/i);
	});
}
