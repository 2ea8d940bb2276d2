import {createHash} from 'node:crypto';
import {once} from 'node:events';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {createConnection} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {plugPort, resizePort, unplugPort} from '#devices/virtio/console';
import {parsePcieRootComplex, parsePcieRootPort, type VmOptions} from '#main/config';
import {flagged, linuxTest, runInLinux, until, untilThere} from '#test/petri';

const kibibytes = 1024;
const buses: Readonly<Record<'pci' | 'mmio', {flags: Record<string, string[]>; pcie: Pick<VmOptions, 'pcie'>}>> = {
	pci: {
		flags: {'virtio-console-pcie-port': ['rp0']},
		pcie: {
			pcie: {rootComplexes: [parsePcieRootComplex('rc0,end_bus=15')], rootPorts: [parsePcieRootPort('rc0:rp0')]},
		},
	},
	mmio: {flags: {}, pcie: {}},
};
const names = {pci: 'virtio-console', mmio: 'virtio-console-mmio'};
/** A port's name in Linux, which the driver makes when it is told. */
const nameOf = (port: number) => `/sys/class/virtio-ports/vport*p${port}/name`;

for (const bus of ['pci', 'mmio'] as const)
	linuxTest(`Linux has a console, a channel by its name, and ports that come and go, over ${bus}`, async (t, make) => {
		const folder = mkdtempSync(join(tmpdir(), 'openvmm-console-'));
		t.teardown(() => rmSync(folder, {recursive: true, force: true}));
		const [output, path] = [join(folder, 'console'), join(folder, 'channel')];
		const {flags, pcie} = buses[bus];
		const devices = flagged({
			...flags,
			'virtio-console': [`file=${output}`],
			'virtio-console-channel': [`name=org.test.channel:listen=${path}`, 'off:name=late:stderr'],
		});
		const guest = await runInLinux(make, {processors: {count: 2}, ...pcie, devices}, [
			'dmesg -c >/dev/null',
			'modprobe -a virtio_pci virtio_mmio virtio_console',
			untilThere('/dev/vport*p1', nameOf(1)),
			`echo name=$(cat ${nameOf(1)})`,
			// Its node is there before it is.
			until('(echo on the console >/dev/hvc0) 2>/dev/null'),
			`dd if=/dev/urandom of=/tmp/sent bs=1k count=${kibibytes} 2>/dev/null`,
			'echo sent=$(sha256sum </tmp/sent | cut -c 1-64)',
			'exec 3<>$(echo /dev/vport*p1)',
			'echo wants=client',
			until('read line <&3'),
			'echo heard=$line',
			'cat /tmp/sent >&3',
			// Busybox fails of a size that nobody has said.
			'echo wants=size',
			until('stty size </dev/hvc0 2>/dev/null | grep -q [1-9]'),
			'echo size=$(stty size </dev/hvc0)',
			'echo wants=port',
			untilThere('/dev/vport*p2', nameOf(2)),
			`echo late=$(cat ${nameOf(2)})`,
			until('[ ! -e /dev/vport*p2 ]'),
			'echo gone=yes',
			"dmesg | grep -v OPENVMM_RUN | grep -E 'virtio|WARNING: CPU|BUG:|Call Trace'",
		]);
		const {vm} = guest;
		const device = names[bus];
		await guest.waitFor(/^wants=client\r?$/m);
		const client = createConnection(path);
		t.teardown(() => client.destroy());
		await once(client, 'connect');
		const closed = once(client, 'close');
		const pieces: Buffer[] = [];
		client.on('data', (piece) => void pieces.push(piece));
		client.write('hello guest\n');
		await guest.waitFor(/^wants=size\r?$/m);
		await vm.control(device, resizePort(0, 132, 43));
		await guest.waitFor(/^wants=port\r?$/m);
		await vm.control(device, plugPort(2));
		await guest.waitFor(/^late=\w+\r?$/m);
		await vm.control(device, unplugPort(2));
		t.deepEqual(await vm.ended, {kind: 'power-off'}, guest.output);
		const {output: text} = guest;
		const found = (name: string) => new RegExp(`^${name}=(.*?)\r?$`, 'm').exec(text)?.[1] ?? '';
		t.is(found('name'), 'org.test.channel', text);
		t.is(found('heard'), 'hello guest', text);
		t.is(found('size'), '43 132', text);
		t.deepEqual([found('late'), found('gone')], ['late', 'yes'], text);
		t.regex(readFileSync(output, 'latin1'), /on the console/);
		await closed;
		const got = Buffer.concat(pieces);
		t.is(got.length, kibibytes * 1024);
		t.is(createHash('sha256').update(got).digest('hex'), found('sent'), text);
		t.notRegex(text, /WARNING: CPU|BUG:|Call Trace|virtio.*(fail|error)|not a head/i);
	});
