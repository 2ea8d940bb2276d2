import {parsePcieRootComplex, parsePcieRootPort, type VmOptions} from '#main/config';
import {flagged, linuxTest, runInLinux, until, untilReadable} from '#test/petri';

const disk = 'mem:16M,num_queues=2';
/** A disk with two queues and entropy, on each bus; rings are packed on one. */
const machines: Readonly<Record<'pci' | 'mmio', VmOptions>> = {
	pci: {
		pcie: {
			rootComplexes: [parsePcieRootComplex('rc0,end_bus=15')],
			rootPorts: ['rp0', 'rp1'].map((name) => parsePcieRootPort(`rc0:${name}`)),
		},
		devices: flagged({
			'virtio-blk': [`${disk},workers=2,pcie_port=rp0`],
			'virtio-rng': [''],
			'virtio-rng-pcie-port': ['rp1'],
		}),
	},
	mmio: {
		devices: flagged({'virtio-blk': [`${disk},packed=off`], 'virtio-rng': ['']}),
	},
};

const diskNames = {pci: 'virtio-blk', mmio: 'virtio-blk-mmio'};

/** Requests of one copy: direct I/O makes one of each block. */
const blocks = 64;
const dd = (from: string, to: string, flags: string) =>
	`dd if=${from} of=${to} bs=64k count=${blocks} ${flags} 2>/dev/null`;
/** Writes the disk on one processor, which has a queue of its own, and reads it on the other, past the page cache. */
const copy = (round: string, write: number, read: number) => [
	dd('/dev/urandom', '/tmp/sent', ''),
	`taskset ${write} ${dd('/tmp/sent', '/dev/vda', 'oflag=direct')}`,
	`taskset ${read} ${dd('/dev/vda', '/tmp/got', 'iflag=direct')}`,
	`cmp /tmp/sent /tmp/got && echo ${round}=same`,
];
/** Takes a device from its driver, which resets it, and gives it back; both are done when the words are written. */
const rebind = (driver: string, device: string) => {
	const folder = `/sys/bus/virtio/drivers/${driver}`;
	return `it=${device}; echo $it >${folder}/unbind; echo $it >${folder}/bind`;
};

/** The driver of entropy offers it to the kernel by itself, and not at once. */
const hasEntropy = until('grep -q virtio_rng /sys/class/misc/hw_random/rng_current');

/** Counts the interrupts of a queue of the disk, on all processors. */
function interruptsOf(output: string, queue: number): number {
	const counts = new RegExp(`^ *\\d+:((?: +\\d+)+) .*virtio\\d-req\\.${queue}\\r?$`, 'm').exec(output)?.[1] ?? '';
	return counts
		.trim()
		.split(/ +/)
		.map(Number)
		.reduce((sum, count) => sum + count, 0);
}

for (const bus of ['pci', 'mmio'] as const) {
	linuxTest(`Linux takes entropy, and writes and reads a disk by both queues, over ${bus}`, async (t, machine) => {
		const rng = 'echo rng=$(cat /sys/class/misc/hw_random/rng_current) bytes=$(head -c 100 /dev/hwrng | wc -c)';
		const guest = await runInLinux(machine, {processors: {count: 2}, ...machines[bus]}, [
			// Earlier messages are not about these devices: under emulation Linux warns of its processor.
			'dmesg -c >/dev/null',
			`modprobe -a virtio_${bus} virtio_blk virtio-rng`,
			untilReadable('/dev/vda'),
			hasEntropy,
			'echo queues=$(ls /sys/block/vda/mq | wc -l) sectors=$(cat /sys/block/vda/size)',
			rng,
			...copy('first', 1, 2),
			rebind('virtio_blk', '$(basename $(readlink /sys/block/vda/device))'),
			untilReadable('/dev/vda'),
			`${dd('/dev/vda', '/tmp/again', 'iflag=direct')}; cmp /tmp/sent /tmp/again && echo again=same`,
			rebind('virtio_rng', '$(basename /sys/bus/virtio/drivers/virtio_rng/virtio*)'),
			hasEntropy,
			rng,
			...copy('second', 2, 1),
			'cat /proc/interrupts',
			// The command line is in it too, with these very words.
			"dmesg | grep -v OPENVMM_RUN | grep -E 'virtio|WARNING: CPU|BUG:|Call Trace'",
			// Its queues are looked at before a power-off could reset them.
			'echo all=done; sleep 10000',
		]);
		await guest.waitFor(/^all=done\r?$/m);
		t.regex(guest.output, /^queues=2 sectors=32768\r?$/m, guest.output);
		t.is(guest.output.match(/^rng=virtio_rng\.\d bytes=100\r?$/gm)?.length, 2, guest.output);
		for (const round of ['first', 'again', 'second'])
			t.regex(guest.output, new RegExp(`^${round}=same\\r?$`, 'm'), guest.output);
		t.notRegex(guest.output, /WARNING: CPU|BUG:|Call Trace|virtio.*(fail|error|not a head|bogus)/i);
		const state = `vm/devices/${diskNames[bus]}/state`;
		const isPacked = bus === 'pci';
		t.is(/\bring_packed\b/.test(String(await guest.inspect(`vm/devices/${diskNames[bus]}/words/features`))), isPacked);
		// The second copy came after the queues had begun anew: each had half of it, which no other queue can have done.
		await guest.vm.pause();
		for (const queue of [0, 1]) {
			// Of a packed ring it is a position, which comes around.
			const used = await guest.inspect(`${state}/virtio.queues/${queue}/used`);
			if (!isPacked) t.true((used as number) >= blocks, `queue ${queue} has used ${used} buffers`);
			if (bus === 'pci') t.true(interruptsOf(guest.output, queue) >= blocks, guest.output);
		}
	});
}
