import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {LinkCommand} from '#devices/virtio/net';
import {parsePcieRootComplex, parsePcieRootPort} from '#main/config';
import {
	flagged,
	hearButton,
	linuxTest,
	openTestSnapshot,
	pressed,
	runInLinux,
	snapshotPlace,
	type TestVm,
	until,
} from '#test/petri';

/** The address that its driver gives the NIC on PCI Express, which comes with another one. */
const moved = [2, 0, 0, 0, 0, 0xaa];
/** What a guest says of an address without being asked, in ARP (RFC 5227, 3), behind the header of Ethernet. */
const announcement = Buffer.from([8, 6, 0, 1, 8, 0, 6, 4, 0, 1, ...moved, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
const own6 = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const allNodes = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
/** And by IPv6 (RFC 4861, 7.2.6): from that address to all nodes, an advertisement (136) that overrides what was known. */
const advertised = (bytes: Buffer): boolean => {
	const header = Buffer.from([58, 255, ...own6, ...allNodes, 136, 0]);
	const at = bytes.indexOf(header);
	return (
		at >= 0 && bytes.subarray(at + header.length + 6, at + header.length + 24).equals(Buffer.from([...own6, 2, 1]))
	);
};

const [here, there] = ['virtio-net', 'virtio-net-mmio'];
const options = (capture: string, lan: string) => ({
	processors: {count: 2},
	pcie: {
		rootComplexes: [parsePcieRootComplex('rc0,end_bus=15')],
		rootPorts: [parsePcieRootPort('rc0:rp0')],
	},
	devices: flagged({
		'virtio-net': [
			`pcie_port=rp0:switch:${lan},mac=02:00:00:00:00:01`,
			`switch:${lan},mac=02:00:00:00:00:02,capture=${capture}`,
		],
	}),
});

const listens = 'l() { $1 cat /proc/net/tcp /proc/net/tcp6 | grep -q ":$(printf %04X $2) [^ ]* 0A "; }';
/** Sends a file from one name space to the other: name, from, to, address, port. */
const send = `s() { dd if=/dev/urandom of=/s bs=64k count=16 2>/dev/null; $3 nc -l -p $5 </held >/g & ${until('l "$3" $5')}; $2 nc $4 $5 </s; wait $!; cmp /s /g && echo $1=same; }`;
const answers = (from: string, to: string) => until(`${from} ping -c 1 -W 5 ${to} >/dev/null 2>&1`);
/** Of what nobody answers a guest says a few times that it wants to know. */
const asks = (to: string) => `on ping -c 3 -W 1 ${to} >/dev/null 2>&1`;

/** What the driver has its NIC take, and what is then sent to it: whether the NIC leaves that out. */
const filters: readonly (readonly [name: string, lines: string, isFiltered: boolean])[] = [
	['vlan of its', asks('10.5.0.99'), false],
	['vlan of nobody', asks('10.7.0.99'), true],
	['address of nobody', asks('10.0.0.99'), true],
	['group of nobody', asks('239.1.2.3'), true],
	['group, all of them', `ifconfig $here allmulti; ${asks('239.1.2.3')}`, false],
	['group, no more', `ifconfig $here -allmulti; ${asks('239.1.2.3')}`, true],
	['address, all of them', `ip link set $here promisc on; ${asks('10.0.0.99')}`, false],
	['vlan, all of them', asks('10.7.0.99'), false],
	['vlan, no more', `ip link set $here promisc off; ${asks('10.7.0.99')}`, true],
	['vlan, taken away', `ip link del $here.5; ${asks('10.5.0.99')}`, true],
];

linuxTest('Linux gives its NIC another address, VLANs and filters, and says where it is', async (t, machine) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-control-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	const capture = (name: string) => join(folder, name);
	const nic = (last: string) => `$(basename $(dirname $(grep -l ${last}$ /sys/class/net/*/address)))`;
	const vlan = (which: string, on: string, own: number, ids: readonly number[]) =>
		ids.map(
			(id) =>
				`${on} ip link add link ${which} name ${which}.${id} type vlan id ${id}; ${on} ip addr add 10.${id}.0.${own}/24 dev ${which}.${id}; ${on} ip link set ${which}.${id} up`,
		);
	let presses = 0;
	const go = () => until(pressed(++presses));
	const troubles =
		"dmesg | grep -v OPENVMM_RUN | grep -E 'virtio|8021q.*(fail|error)|WARNING: CPU|BUG:|Call Trace|Failed to'";
	const guest = await runInLinux(machine, options(capture('first'), 'control'), [
		`dmesg -c >/dev/null; modprobe -a virtio_pci virtio_mmio virtio_net 8021q; ${hearButton}`,
		until('grep -q 00:01$ /sys/class/net/*/address && grep -q 00:02$ /sys/class/net/*/address'),
		`here=${nic('00:01')}; there=${nic('00:02')}`,
		'unshare -n sleep 10000 & other=$!',
		until('[ $(readlink /proc/$other/ns/net) != $(readlink /proc/self/ns/net) ]'),
		'on() { nsenter -t $other -n "$@"; }; ip link set $there netns $other; mkfifo /held; (sleep 99999 >/held &)',
		'ip addr add 10.0.0.1/24 dev $here; on ip addr add 10.0.0.2/24 dev $there',
		'ip addr add fd00::1/64 dev $here; on ip addr add fd00::2/64 dev $there',
		'ip link set lo up; ip link set $here up; on ip link set $there up; on ip route add 224.0.0.0/4 dev $there',
		answers('', '10.0.0.2'),
		listens,
		send,
		...vlan('$here', '', 1, [5]),
		...vlan('$there', 'on', 2, [5, 7]),
		`${answers('', '10.5.0.2')}; ${answers('on', '10.5.0.1')}; echo vlan=ok`,
		"s out '' on 10.5.0.2 5000; s in on '' 10.5.0.1 5001",
		// While it is up (IFF_LIVE_ADDR_CHANGE).
		'ip link set $here address 02:00:00:00:00:aa',
		// Who has the address asks first: the other believes for a minute what it knows.
		`${answers('', '10.0.0.2')}; ${answers('', '10.5.0.2')}; ${answers('on', '10.5.0.1')}; ${until('ping6 -c 1 -W 5 fd00::2 >/dev/null 2>&1')}`,
		"on grep -c '^10.0.0.1 .*00:aa' /proc/net/arp | sed s/^/known=/; s moved on '' 10.0.0.1 5002",
		// By IPv6 the other says things to groups that nobody here is in, whenever it likes.
		"on sh -c 'for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 >$f; done'",
		// A static entry, so that what is sent to nobody has one's address.
		'on arp -s 10.0.0.99 02:00:00:00:00:99; echo filters=next',
		...filters.map(([, lines], index) => `${go()}; ${lines}; echo filter-${index}=sent`),
		'carrier() { [ "$(cat /sys/class/net/$here/carrier)" = $1 ]; }',
		`${until('carrier 0')}; echo link=down; ${until('carrier 1')}; ${answers('', '10.0.0.2')}; echo link=again`,
		go(),
		`${answers('on', '10.0.0.1')}; ${answers('', '10.0.0.2')}; ${asks('10.7.0.99')}`,
		"s after on '' 10.0.0.1 5003; cat /sys/class/net/$here/address | sed s/^/address=/",
		troubles,
		'echo all=done; sleep 10000',
	]);
	const said = ({output}: TestVm, line: string) =>
		t.regex(output, new RegExp(`^${line}\\r?$`, 'm'), `${line}: ${output}`);
	const filtered = async (vm: TestVm) => Number(await vm.inspect(`vm/devices/${here}/received/filtered`));

	await guest.waitFor(/^filters=next/m);
	for (const line of ['vlan=ok', 'out=same', 'in=same', 'known=1', 'moved=same']) said(guest, line);
	for (const [index, [name, , isFiltered]] of filters.entries()) {
		const before = await filtered(guest);
		await guest.vm.powerButton();
		await guest.waitFor(new RegExp(`^filter-${index}=sent`, 'm'));
		t.is((await filtered(guest)) > before, isFiltered, name);
	}

	const link = (up: boolean): LinkCommand => ({kind: 'link', up});
	await guest.vm.control(here, link(false));
	await guest.waitFor(/^link=down/m);
	await guest.vm.control(here, link(true));
	await guest.waitFor(/^link=again/m);

	const directory = snapshotPlace(t);
	await guest.vm.saveSnapshot(directory);
	const restored = await machine(options(capture('again'), 'control-again'), {
		snapshot: openTestSnapshot(t, directory),
	});
	await restored.vm.start();
	const before = await filtered(restored);
	await restored.vm.powerButton();
	await restored.waitFor(/^all=done/m);
	for (const line of ['after=same', 'address=02:00:00:00:00:aa']) said(restored, line);
	t.true((await filtered(restored)) > before, 'a VLAN of nobody, as before');
	const frames = readFileSync(capture('again'));
	t.true(frames.includes(announcement), 'by ARP');
	t.true(advertised(frames), 'and by an advertisement of a neighbour');
	for (const {output} of [guest, restored])
		t.notRegex(output, /WARNING: CPU|BUG:|Call Trace|Failed to|virtio.*(fail|error|not a head|bogus)/i);
	for (const device of [here, there])
		for (const way of ['sent', 'received'])
			t.is(Number(await restored.inspect(`vm/devices/${device}/${way}/wrong`)), 0, `${device} ${way}`);
});
