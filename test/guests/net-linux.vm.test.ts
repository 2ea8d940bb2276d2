import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {LinkCommand} from '#devices/virtio/net';
import {parsePcieRootComplex, parsePcieRootPort, type VmOptions} from '#main/config';
import {flagged, linuxTest, runInLinux, until} from '#test/petri';
import {answersByPairs, pingByPairs} from './testing/queue-pairs.ts';
import {ringSizeProgram} from './testing/ring-size-program.ts';

/**
 * Two NICs on one switch, on each bus; those on PCI Express have two pairs of queues, those on MMIO split rings, and the second of them comes by the
 * switch's socket, where nothing is left to others.
 */
const machines: Readonly<Record<'pci' | 'mmio', (path: string) => VmOptions>> = {
	pci: () => ({
		pcie: {
			rootComplexes: [parsePcieRootComplex('rc0,end_bus=15')],
			rootPorts: ['rp0', 'rp1'].map((name) => parsePcieRootPort(`rc0:${name}`)),
		},
		devices: flagged({
			'virtio-net': [
				'queues=2:pcie_port=rp0:switch:lan-pci,mac=02:00:00:00:00:01',
				'queues=2:pcie_port=rp1:switch:lan-pci,mac=02:00:00:00:00:02',
			],
		}),
	}),
	mmio: (path) => ({
		devices: flagged({
			'virtio-net': [
				`switch:lan-mmio,listen=${path},mac=02:00:00:00:00:01,packed=off,mtu=4000`,
				`stream:connect=${path},mac=02:00:00:00:00:02,packed=off,mtu=4000`,
			],
		}),
	}),
};
const kinds = {pci: 'virtio-net', mmio: 'virtio-net-mmio'};
const mtus = {pci: 1500, mmio: 4000};

/** Has the driver reset the queues of a NIC and give them another size, one by one; Linux 6.1 does so over PCI alone. */
const ringSize = 128;
const resize = `echo ${Buffer.from(ringSizeProgram(ringSize)).toString('base64')} | base64 -d >/ring-size; chmod +x /ring-size; /ring-size $here; echo resized=$?`;

const blocks = 64;
const bytes = blocks * 65_536;
/** Succeeds where somebody listens on a port in a name space: from, port. */
const listens = 'l() { $1 cat /proc/net/tcp /proc/net/tcp6 | grep -q ":$(printf %04X $2) [^ ]* 0A "; }';
/** Sends a file from one name space to the other, and looks whether it is the same there: name, from, to, address, port. */
const send = `s() { dd if=/dev/urandom of=/s bs=64k count=${blocks} 2>/dev/null; $3 timeout 500 nc -l -p $5 </f >/g & ${until('l "$3" $5')}; $2 nc $4 $5 </s; wait $!; cmp /s /g && echo $1=same; }`;

const link = (up: boolean): LinkCommand => ({kind: 'link', up});

/** On PCI Express there are two pairs of queues, with interrupts of their own; and there the link goes down and up. */
const onPci = [
	...pingByPairs('$here', '10.0.0.2'),
	'carrier() { [ "$(cat /sys/class/net/$here/carrier)" = $1 ]; }',
	`${until('carrier 1')}; echo link=up; ${until('carrier 0')}; echo link=down; ${until('carrier 1')}`,
	`${until('ping -c 1 -W 60 10.0.0.2 >/dev/null')}; echo link=again`,
];

for (const bus of ['pci', 'mmio'] as const)
	linuxTest(`Linux talks to itself by two NICs on a switch, over ${bus}`, async (t, machine) => {
		const folder = mkdtempSync(join(tmpdir(), 'openvmm-switch-'));
		t.teardown(() => rmSync(folder, {recursive: true, force: true}));
		const guest = await runInLinux(machine, {processors: {count: 2}, ...machines[bus](join(folder, 'lan'))}, [
			'dmesg -c >/dev/null',
			`modprobe -a virtio_${bus} virtio_net`,
			until('grep -q 00:01$ /sys/class/net/*/address && grep -q 00:02$ /sys/class/net/*/address'),
			'here=$(basename $(dirname $(grep -l 00:01$ /sys/class/net/*/address)))',
			'there=$(basename $(dirname $(grep -l 00:02$ /sys/class/net/*/address)))',
			'unshare -n sleep 10000 & other=$!',
			until('[ $(readlink /proc/$other/ns/net) != $(readlink /proc/self/ns/net) ]'),
			'ip link set $there netns $other',
			'on() { nsenter -t $other -n $*; }',
			'ip addr add 10.0.0.1/24 dev $here',
			'ip link set $here up',
			'on ip addr add 10.0.0.2/24 dev $there',
			'on ip link set $there up',
			'ip addr add fd00::1/64 dev $here',
			'on ip addr add fd00::2/64 dev $there',
			// Linux looks first whether somebody else has them.
			until('ping6 -c 1 -W 60 fd00::2 >/dev/null 2>&1'),
			'ping -c 3 -W 30 10.0.0.2 >/dev/null && echo ping4=ok',
			'ping6 -c 3 -W 30 fd00::2 >/dev/null && echo ping6=ok',
			'ping -c 3 -s 20000 -W 30 10.0.0.2 >/dev/null && echo fragments=ok',
			// Only an interface that is up says how fast it is.
			'cd /sys/class/net/$here',
			'echo mtu=$(cat mtu) speed=$(cat speed 2>/dev/null) queues=$(ls -d queues/rx-* | wc -l)',
			'cd /',
			// It ends with what it takes, not with what it is given: somebody holds that open.
			'mkfifo /f; (sleep 9999 >/f &)',
			listens,
			send,
			"s first '' on 10.0.0.2 5000",
			...(bus === 'pci' ? [resize] : []),
			"s second on '' 10.0.0.1 5001",
			"s third '' on fd00::2 5002",
			"s fourth on '' fd00::1 5003",
			...(bus === 'pci' ? onPci : []),
			"dmesg | grep -v OPENVMM_RUN | grep -E 'virtio|checksum|WARNING: CPU|BUG:|Call Trace'",
			'echo all=done; sleep 10000',
		]);
		if (bus === 'pci') {
			await guest.waitFor(/^link=up\r?$/m);
			await guest.vm.control(kinds.pci, link(false));
			await guest.waitFor(/^link=down\r?$/m);
			await guest.vm.control(kinds.pci, link(true));
		}
		await guest.waitFor(/^all=done\r?$/m);
		if (bus === 'pci') {
			t.regex(guest.output, /^link=again\r?$/m, guest.output);
			for (const count of answersByPairs(guest.output)) t.true(count >= 3, guest.output);
		}
		const queues = bus === 'pci' ? 2 : 1;
		t.regex(guest.output, new RegExp(`^mtu=${mtus[bus]} speed=10000 queues=${queues}\\r?$`, 'm'), guest.output);
		const files = ['first=same', 'second=same', 'third=same', 'fourth=same'];
		for (const each of ['ping4=ok', 'ping6=ok', 'fragments=ok', ...files])
			t.regex(guest.output, new RegExp(`^${each}\\r?$`, 'm'), guest.output);
		t.notRegex(guest.output, /WARNING: CPU|BUG:|Call Trace|virtio.*(fail|error|not a head|bogus)/i);
		const inspected = async (path: string, nic = kinds[bus]) =>
			Number(await guest.inspect(`vm/devices/${nic}/${path}`));
		if (bus === 'pci') {
			t.regex(guest.output, /^resized=0\r?$/m, guest.output);
			for (const queue of [0, 1, 2, 3]) t.is(await inspected(`state/virtio.queues/${queue}/size`), ringSize);
		}
		// Two of four files went out here: in large pieces, as the switch takes them.
		const [frames, sent] = [await inspected('sent/frames'), await inspected('sent/bytes')];
		t.true(sent > 2 * bytes && frames < (2 * bytes) / 3000, `${frames} frames, ${sent} bytes`);
		for (const path of ['sent/wrong', 'received/wrong', 'sent/finished', 'received/finished'])
			t.is(await inspected(path), 0, path);
		const second = `${kinds[bus]}-2`;
		// The other NIC cuts what goes out there, unless the switch takes it.
		const [cut, passed] = [await inspected('sent/finished', second), await inspected('sent/frames', second)];
		if (bus === 'pci') t.is(cut, 0);
		else t.true(cut > 0 && passed > (2 * bytes) / mtus.mmio, `${cut} cut, ${passed} frames`);
		for (const path of ['sent/wrong', 'received/wrong']) t.is(await inspected(path, second), 0, path);
	});
