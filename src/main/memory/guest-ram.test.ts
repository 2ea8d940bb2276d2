import {existsSync, readFileSync} from 'node:fs';
import test from 'ava';
import {linuxHost, vmConfig} from '#main/config';
import {allocateRam, type BankRequest} from './index.ts';

const mib = 2 ** 20;
const bank = (gpa: number, size: number, options: object = {}): BankRequest => ({
	memory: vmConfig({memory: {sizeBytes: size, ...options}}).memory,
	ranges: size > 0 ? [{gpa, length: size}] : [],
});

test('each node has a backing of its own, and one without memory none', (t) => {
	const ram = allocateRam([bank(0, 4 * mib), bank(0, 0), bank(4 * mib, 2 * mib, {shared: false, prefetch: true})]);
	t.teardown(() => ram.dispose());
	t.deepEqual(
		ram.ranges.map(({gpa, length}) => [gpa, length]),
		[
			[0, 4 * mib],
			[4 * mib, 2 * mib],
		],
	);
	t.deepEqual(
		ram.banks.map(({backing, prefetch, fd}) => [backing, prefetch, fd === undefined]),
		[
			['shared memory', false, false],
			['private pages', true, true],
		],
	);
});

const [hostNode] = linuxHost.memoryNodes();
const policies = '/proc/self/numa_maps';
const onNuma = hostNode !== undefined && existsSync(policies) ? test : test.skip;

for (const shared of [true, false]) {
	onNuma(`memory is bound to the node of the host that is asked for, ${shared ? 'shared' : 'private'} pages`, (t) => {
		const [bound, free] = [bank(0, 2 * mib, {shared}), bank(2 * mib, 2 * mib, {shared})];
		const ram = allocateRam([{...bound, hostNode: hostNode as number}, free]);
		t.teardown(() => ram.dispose());
		for (const {buffer} of ram.ranges) new Uint8Array(buffer)[0] = 1;
		const policy = (index: number) => {
			const address = ram.ranges[index]?.hostAddress.toString(16);
			return new RegExp(`^0*${address} (\\S+)`, 'm').exec(readFileSync(policies, 'latin1'))?.[1];
		};
		t.is(policy(0), `bind:${hostNode}`);
		t.is(policy(1), 'default');
	});
}

onNuma('a node that the host lacks is named', (t) => {
	const error = t.throws(() => allocateRam([{...bank(0, 2 * mib), hostNode: 900}]), {code: 'MEMORY_NODE_UNAVAILABLE'});
	t.regex(error?.message ?? '', /NUMA node 900: EINVAL/);
});
