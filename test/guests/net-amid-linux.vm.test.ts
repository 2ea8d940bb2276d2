import {createHash, randomBytes} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import type {KindHandle} from '#devices/device-type';
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
	untilThere,
} from '#test/petri';
import {onLoopback} from './testing/host-network.ts';

const half = 500_000;
const body = randomBytes(2 * half);
const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex');

/** A server on the host's loopback that gives half of a file, and the rest when it is asked for more. */
const serve = (t: ExecutionContext): Promise<number> =>
	onLoopback(
		t,
		createServer((socket) => {
			socket.write(body.subarray(0, half));
			socket.once('data', () => socket.end(body.subarray(half)));
		}),
	);

const said = (t: ExecutionContext, {output}: TestVm, line: string) =>
	t.regex(output, new RegExp(`^${line}\\r?$`, 'm'), `${line}: ${output}`);
const troubles = "dmesg | grep -v OPENVMM_RUN | grep -E 'WARNING: CPU|BUG:|Call Trace'";
const sizeIs = (file: string, bytes: number) => until(`[ "$(stat -c %s ${file} 2>/dev/null)" = ${bytes} ]`);
/** Gets the file of the server, with what is said to it meanwhile. */
const get = (ask: string, file: string) => `(${ask}; echo more) | nc 10.0.0.1 80 >${file}`;

/** The frame by which Linux announces an address (RFC 5227, 3; RFC 826): that of the second NIC. */
const announcement = Buffer.from(
	'ffffffffffff 020000000002 0806 0001080006040001 020000000002 0a010001 000000000000 0a010001'.replaceAll(' ', ''),
	'hex',
);

linuxTest('a machine that is saved amid traffic goes on with it, but for the host', async (t, machine) => {
	const port = await serve(t);
	const options = (lan: string, more = '') => ({
		processors: {count: 2},
		devices: flagged({
			'virtio-net': [
				`consomme,guestfwd=tcp::80-127.0.0.1:${port},mac=02:00:00:00:00:01`,
				`switch:${lan},mac=02:00:00:00:00:02${more}`,
				`switch:${lan},mac=02:00:00:00:00:03`,
			],
		}),
	});
	const address = (last: number) => `grep -q 00:0${last}$ /sys/class/net/*/address`;
	const nic = (last: number) => `$(basename $(dirname $(grep -l 00:0${last}$ /sys/class/net/*/address)))`;
	const guest = await runInLinux(machine, options('amid'), [
		`dmesg -c >/dev/null; modprobe -a virtio_mmio virtio_net; ${hearButton}`,
		until([1, 2, 3].map(address).join(' && ')),
		`up=${nic(1)} here=${nic(2)} there=${nic(3)}`,
		'unshare -n sleep 10000 & other=$!',
		until('[ $(readlink /proc/$other/ns/net) != $(readlink /proc/self/ns/net) ]'),
		'on() { nsenter -t $other -n "$@"; }',
		'ip link set $there netns $other; ip link set lo up; ip link set $up up; ip link set $here up; on ip link set $there up',
		'ip addr add 10.0.0.2/24 dev $up; ip addr add 10.1.0.1/24 dev $here; on ip addr add 10.1.0.2/24 dev $there',
		'dd if=/dev/urandom of=/s bs=1k count=400 2>/dev/null',
		// It ends with what it takes, not with what it is given: somebody holds that open.
		'mkfifo /held; (sleep 9999 >/held &)',
		'on nc -l -p 5000 </held >/g & taker=$!',
		// busybox listens by IPv6, which takes IPv4 too.
		until('on grep -qs ":1388 [^ ]* 0A " /proc/net/tcp /proc/net/tcp6'),
		`(head -c 204800 /s; ${until(pressed(1))}; tail -c 204800 /s) | nc 10.1.0.2 5000 & giver=$!`,
		`${get(until(pressed(1)), '/f')} & download=$!`,
		`(nc 10.0.0.1 80 </held >/idle; echo idle=over) &`,
		sizeIs('/idle', half),
		`${sizeIs('/g', 204_800)}; ${sizeIs('/f', half)}`,
		'echo amid=now',
		'wait $taker; cmp /s /g && echo lan=same',
		'wait $download; echo download=$(md5sum </f | cut -c -32)',
		`${get('true', '/again')}; echo again=$(md5sum </again | cut -c -32)`,
		troubles,
		'echo all=done; sleep 10000',
	]);
	await guest.waitFor(/^amid=now/m);
	const directory = snapshotPlace(t);
	await guest.vm.saveSnapshot(directory);
	await guest.vm.powerButton();
	await guest.waitFor(/^all=done/m);
	for (const line of ['lan=same', `download=${md5(body)}`, `again=${md5(body)}`]) said(t, guest, line);

	t.notRegex(guest.output, /idle=over/);
	const capture = join(directory, 'again.pcapng');
	const restored = await machine(options('amid-again', `,capture=${capture}`), {
		snapshot: openTestSnapshot(t, directory),
	});
	await restored.vm.start();
	// Who waits for the host without a word is told.
	await restored.waitFor(/^idle=over/m);
	await restored.vm.powerButton();
	await restored.waitFor(/^all=done/m);
	// What the guest sends by the host's connection is answered by a reset; a new one is as good as ever.
	for (const line of ['lan=same', `download=${md5(body.subarray(0, half))}`, `again=${md5(body)}`])
		said(t, restored, line);
	for (const {output} of [guest, restored]) t.notRegex(output, /WARNING: CPU|BUG:|Call Trace/);
	await restored.vm.stop();
	t.true(readFileSync(capture).includes(announcement), 'it says where it is');
});

linuxTest('machines of one process are guests of one network, and find each other by name', async (t, machine) => {
	const port = await serve(t);
	const dhcp = [
		untilThere('/sys/class/net/eth0'),
		'ip link set lo up; ip link set eth0 up',
		`(echo '#!/bin/sh'; echo '[ $1 = bound ] || exit 0; ip addr add $ip/$mask dev $interface; ip route add default via $router; echo nameserver $dns >/etc/resolv.conf; echo bound=$ip,$hostname') >/dhcp`,
		'chmod +x /dhcp; mkdir -p /etc',
		until('udhcpc -i eth0 -n -q -s /dhcp 2>&1'),
	];
	const start = ['modprobe -a virtio_mmio virtio_net', ...dhcp];
	const web = await runInLinux(
		machine,
		{devices: flagged({net: [`consomme,switch=machines,guestfwd=tcp::80-127.0.0.1:${port},name=web`]})},
		[...start, 'echo page-of-web >/page; httpd -p 80 -h / && echo listening=yes; sleep 10000'],
	);
	await web.waitFor(/^listening=yes/m);
	const db = await runInLinux(machine, {devices: flagged({net: ['switch:machines,name=db']})}, [
		...start,
		'nslookup web.internal 10.0.0.1 2>&1 | sed -n s/^Address:/name=/p',
		'nslookup db.internal 10.0.0.1 2>&1 | sed -n s/^Address:/name=/p',
		'wget -q -O - http://10.0.0.2/page',
		`${get('true', '/f')}; echo host=$(md5sum </f | cut -c -32)`,
		troubles,
		'echo all=done; sleep 10000',
	]);
	await db.waitFor(/^all=done/m);
	said(t, web, 'bound=10\\.0\\.0\\.2,web');
	for (const line of [
		'bound=10\\.0\\.0\\.3,db',
		'name= 10.0.0.2',
		'name= 10.0.0.3',
		'page-of-web',
		`host=${md5(body)}`,
	])
		said(t, db, line);
});

linuxTest('Linux lets go of a NIC amid traffic when it is asked, and gets it again', async (t, machine) => {
	const port = await serve(t);
	const pcie = {
		rootComplexes: [parsePcieRootComplex('rc0,end_bus=15')],
		rootPorts: [parsePcieRootPort('rc0:rp0,hotplug,button')],
	};
	const [nic] = flagged({net: [`pcie_port=rp0:consomme,guestfwd=tcp::80-127.0.0.1:${port}`]});
	const {port: _, ...device} = nic as KindHandle;
	const there = '[ -e /sys/class/net/eth0 ]';
	const up = [until(there), 'ip link set eth0 up; ip addr add 10.0.0.2/24 dev eth0'];
	const guest = await runInLinux(machine, {processors: {count: 2}, pcie}, [
		'dmesg -c >/dev/null; modprobe -a virtio_pci virtio_net; ip link set lo up; echo waiting=yes',
		...up,
		`${get('true', '/f')}; echo first=$(md5sum </f | cut -c -32)`,
		`while ${there}; do ${get('true', '/dev/null')}; done 2>/dev/null &`,
		until(`! ${there}`),
		'echo gone=yes',
		...up,
		`${get('true', '/f')}; echo again=$(md5sum </f | cut -c -32)`,
		troubles,
		'echo all=done',
	]);
	await guest.waitFor(/^waiting=yes/m);
	await guest.vm.addPcieDevice('rp0', device);
	await guest.waitFor(/^first=/m);
	await guest.vm.removePcieDevice('rp0', {asks: true});
	await guest.waitFor(/^gone=yes/m);
	await guest.vm.addPcieDevice('rp0', device);
	t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
	for (const which of ['first', 'again']) said(t, guest, `${which}=${md5(body)}`);
	t.notRegex(guest.output, /WARNING: CPU|BUG:|Call Trace/);
});
