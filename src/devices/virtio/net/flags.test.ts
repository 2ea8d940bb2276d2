import test from 'ava';
import {VmmError} from '#support/errors';
import {virtioNetFlags} from './flags.ts';
import {macBytes} from './handle.ts';

const devices = (...nics: readonly string[]) => virtioNetFlags.devices((flag) => (flag === 'virtio-net' ? nics : []));

test('a NIC is written as OpenVMM has it, and has what else is said of it', (t) => {
	t.deepEqual(devices('queues=4:pcie_port=rp0:switch:lan,mac=02:00:00:00:00:01,mtu=9000,packed=off,capture=/tmp/it'), [
		{
			port: 'rp0',
			options: {
				endpoint: {kind: 'switch', name: 'lan'},
				mac: '02:00:00:00:00:01',
				mtu: 9000,
				capture: '/tmp/it',
				queues: 4,
				packed: false,
			},
		},
	]);
	const endpoints = ['none', 'tap:vm0', 'stream:listen=/tmp/a:b', 'stream:connect=/tmp/c', 'dgram:local=/a;remote=/b'];
	t.deepEqual(
		devices(...endpoints).map(({options}) => options?.['endpoint']),
		[
			{kind: 'none'},
			{kind: 'tap', name: 'vm0'},
			{kind: 'stream', path: '/tmp/a:b', listens: true},
			{kind: 'stream', path: '/tmp/c', listens: false},
			{kind: 'dgram', local: '/a', remote: '/b'},
		],
	);
});

test('what carries the frames has words of its own, in any place among the NIC’s', (t) => {
	const [made] = devices('consomme:10.1.0.0/16,name=web,mtu=9000,closed=all,mac=02:00:00:00:00:01');
	t.deepEqual(made?.options?.['endpoint'], {kind: 'consomme', cidr: '10.1.0.0/16', closed: 'all', name: 'web'});
	t.deepEqual([made?.options?.['mac'], made?.options?.['mtu']], ['02:00:00:00:00:01', 9000]);
	const [listening] = devices('switch:lan,listen=/tmp/lan,mtu=9000,name=web');
	t.deepEqual(listening?.options?.['endpoint'], {kind: 'switch', name: 'lan', guest: 'web', listen: '/tmp/lan'});
	t.throws(() => devices('tap:vm0,name=web'), {instanceOf: VmmError});
});

test('--net and --nic are NICs too, and --capture is of all that have no file of their own', (t) => {
	const given: Record<string, string[]> = {
		'virtio-net': ['none,capture=/tmp/own'],
		net: ['tap:vm0', 'queues=2:pcie_port=rp0:none'],
		nic: [''],
		capture: ['/tmp/all'],
	};
	const made = virtioNetFlags.devices((flag) => given[flag] ?? []);
	t.deepEqual(
		made.map(({kind, port, options}) => [
			kind ?? port,
			(options?.['endpoint'] as {kind: string} | undefined)?.kind,
			options?.['capture'],
		]),
		[
			['virtio-net-mmio', 'none', '/tmp/own'],
			['virtio-net-mmio', 'tap', '/tmp/all'],
			['rp0', 'none', '/tmp/all'],
			['virtio-net-mmio', 'consomme', '/tmp/all'],
		],
	);
	for (const text of ['vtl2:none', 'queues=2:uh:none'])
		t.throws(() => virtioNetFlags.devices((flag) => (flag === 'net' ? [text] : [])), {
			code: 'CONFIG_VALUE_INVALID',
			message: /--net/,
		});
});

test('a NIC has limits by the words that disks have, and of packets', (t) => {
	const [made] = devices('consomme,bps_tx=10M,closed=all,pps=500,pps_burst=5');
	t.deepEqual(made?.options?.['limits'], {bps_tx: 10 * 2 ** 20, pps: 500, pps_burst: 5});
	t.deepEqual(made?.options?.['endpoint'], {kind: 'consomme', closed: 'all'});
	for (const wrong of ['none,bps=x', 'none,pps=-1', 'none,bps_rd=1', 'none,bps=1,bps=2'])
		t.throws(() => devices(wrong), {instanceOf: VmmError});
});

test('a NIC without an address has one of its own', (t) => {
	const addresses = devices(...new Array<string>(16).fill('none')).map(({options}) => `${options?.['mac']}`);
	t.is(new Set(addresses).size, 16);
	t.true(addresses.every((mac) => mac.startsWith('00:15:5d:') && macBytes(mac) !== undefined));
});

test('NICs without a port are on MMIO, each at a place of its own, as long as there is room', (t) => {
	const made = devices('none', 'pcie_port=rp0:none', 'none');
	t.deepEqual(
		made.map(({kind, options}) => [kind, options?.['base']]),
		[
			['virtio-net-mmio', 0xf801_0000],
			[undefined, undefined],
			['virtio-net-mmio', 0xf801_1000],
		],
	);
	t.throws(() => devices(...new Array<string>(17).fill('none')), {code: 'CONFIG_VALUE_INVALID'});
});

for (const nic of [
	'',
	'nothing',
	'none:1',
	'switch',
	'switch:a b',
	'switch:lan,name=a.b',
	'switch:lan,path=/tmp/lan',
	`switch:lan,listen=${'x'.repeat(108)}`,
	'stream:/tmp/a',
	'dgram:local=/a',
	'none,mac=01:00:00:00:00:00',
	'none,mac=00:00:00:00:00:00',
	'none,mac=1',
	'none,mtu=67',
	'queues=0:none',
	'queues=9:none',
	'queues=1:queues=2:none',
	`stream:listen=${'x'.repeat(108)}`,
])
	test(`"${nic}" is no NIC`, (t) => {
		const error = t.throws(() => devices(nic), {instanceOf: VmmError});
		t.regex(error?.code ?? '', /^CONFIG_/);
		t.regex(error?.message ?? '', /--virtio-net/);
	});
