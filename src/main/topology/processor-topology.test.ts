import test from 'ava';
import {isVmmError, type VmmErrorCode} from '#support/errors';
import {createProcessorTopology, type ProcessorOptions} from './processor-topology.ts';

const plain: ProcessorOptions = {processors: 1, smt: 'auto', x2apic: 'auto', apicIdOffset: 0};
const make = (options: Partial<ProcessorOptions>) => createProcessorTopology({...plain, ...options});
const apicIds = (options: Partial<ProcessorOptions>) => make(options).vps.map((vp) => vp.apicId);

test('one processor is a socket of its own with APIC id 0', (t) => {
	const topology = make({});
	t.deepEqual(topology.vps, [{index: 0, apicId: 0, socket: 0, core: 0, thread: 0}]);
	t.is(topology.socketShift, 0);
	t.is(topology.apicMode, 'x2apic-supported');
});

test('without a known host all processors share one socket, rounded up to a power of two', (t) => {
	const topology = make({processors: 6});
	t.deepEqual(
		topology.vps.map((vp) => [vp.apicId, vp.socket, vp.core]),
		[
			[0, 0, 0],
			[1, 0, 1],
			[2, 0, 2],
			[3, 0, 3],
			[4, 0, 4],
			[5, 0, 5],
		],
	);
	t.is(topology.vpsPerSocket, 6);
	t.is(topology.reservedVpsPerSocket, 8);
	t.is(topology.socketShift, 3);
});

test('every socket starts at a power-of-two APIC id', (t) => {
	t.deepEqual(apicIds({processors: 7, vpsPerSocket: 3}), [0, 1, 2, 4, 5, 6, 8]);
});

test('the host decides socket size and SMT where the user does not', (t) => {
	const topology = make({processors: 4, host: {threadsPerCore: 2, vpsPerSocket: 4}});
	t.is(topology.threadsPerCore, 2);
	t.deepEqual(
		topology.vps.map((vp) => [vp.core, vp.thread]),
		[
			[0, 0],
			[0, 1],
			[1, 0],
			[1, 1],
		],
	);
});

test('SMT off overrides a host with SMT', (t) => {
	const topology = make({processors: 4, smt: 'off', host: {threadsPerCore: 2, vpsPerSocket: 4}});
	t.is(topology.threadsPerCore, 1);
	t.deepEqual(
		topology.vps.map((vp) => vp.core),
		[0, 1, 2, 3],
	);
});

test('forced SMT makes a socket of two where the host has sockets of one', (t) => {
	const topology = make({processors: 2, smt: 'force', host: {threadsPerCore: 1, vpsPerSocket: 1}});
	t.is(topology.vpsPerSocket, 2);
	t.deepEqual(
		topology.vps.map((vp) => [vp.socket, vp.core, vp.thread]),
		[
			[0, 0, 0],
			[0, 0, 1],
		],
	);
});

test('an APIC id offset is rounded down to whole sockets', (t) => {
	t.deepEqual(apicIds({processors: 2, vpsPerSocket: 4, apicIdOffset: 6}), [4, 5]);
	t.is(make({vpsPerSocket: 4, apicIdOffset: 6}).vps[0]?.socket, 1);
});

test('APIC ids 253 and 254 work without x2APIC', (t) => {
	const topology = make({processors: 2, vpsPerSocket: 1, apicIdOffset: 253, x2apic: 'off'});
	t.deepEqual([topology.maxApicId, topology.apicMode], [254, 'xapic']);
});

test('APIC id 255 enables x2APIC by itself', (t) => {
	t.is(make({processors: 255}).apicMode, 'x2apic-supported');
	t.is(make({processors: 256}).apicMode, 'x2apic-enabled');
	t.is(make({processors: 1, x2apic: 'on'}).apicMode, 'x2apic-enabled');
	t.is(make({processors: 1, x2apic: 'supported'}).apicMode, 'x2apic-supported');
});

test('1024 processors are placed one by one', (t) => {
	const topology = make({processors: 1024, vpsPerSocket: 64});
	t.is(new Set(topology.vps.map((vp) => vp.apicId)).size, 1024);
	t.is(topology.maxApicId, 1023);
});

for (const processors of [0, -1, 1.5, Number.NaN, 1025, 10_000]) {
	test(`${processors} processors are refused with the limit`, (t) => {
		const error = t.throws(() => make({processors}));
		t.true(isVmmError(error, 'TOPOLOGY_PROCESSOR_COUNT'));
		t.regex(error?.message ?? '', new RegExp(`^${processors} .*1 to 1024 `));
	});
}

test("the host's KVM may allow fewer processors and ids", (t) => {
	const limits = {maxVcpus: 8, maxVcpuIds: 16};
	t.true(
		isVmmError(
			t.throws(() => make({processors: 9, limits})),
			'TOPOLOGY_PROCESSOR_COUNT',
		),
	);
	t.notThrows(() => make({processors: 8, limits, apicIdOffset: 8}));
	t.true(
		isVmmError(
			t.throws(() => make({processors: 8, limits, apicIdOffset: 16})),
			'TOPOLOGY_APIC_ID_LIMIT',
		),
	);
});

const impossible: [string, Partial<ProcessorOptions>, VmmErrorCode][] = [
	['x2APIC off with 256 processors', {processors: 256, x2apic: 'off'}, 'TOPOLOGY_XAPIC_LIMIT'],
	['forced SMT in sockets of one', {vpsPerSocket: 1, smt: 'force'}, 'TOPOLOGY_SMT_IMPOSSIBLE'],
	['sockets of none', {vpsPerSocket: 0}, 'TOPOLOGY_VPS_PER_SOCKET'],
	['sockets of half a processor', {vpsPerSocket: 0.5}, 'TOPOLOGY_VPS_PER_SOCKET'],
	['a negative APIC id offset', {apicIdOffset: -1}, 'TOPOLOGY_APIC_ID_OFFSET'],
	['APIC ids past 32 bits', {processors: 2, vpsPerSocket: 1, apicIdOffset: 0xffff_fffe}, 'TOPOLOGY_APIC_ID_LIMIT'],
];
for (const [title, options, code] of impossible) {
	test(`${title} is refused`, (t) => {
		t.true(
			isVmmError(
				t.throws(() => make(options)),
				code,
			),
		);
	});
}
