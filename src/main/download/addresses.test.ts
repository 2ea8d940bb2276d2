import test from 'ava';
import {HostAddresses, isLoopback, Reach} from './addresses.ts';

const addresses: readonly (readonly [host: string, reach: keyof typeof Reach, isLoopback: boolean])[] = [
	['127.0.0.1', 'host', true],
	['127.9.9.9:5000', 'host', true],
	['[::1]', 'host', true],
	['[::ffff:127.0.0.1]', 'host', true],
	['10.1.2.3', 'network', false],
	['172.16.0.1', 'network', false],
	['192.168.1.1', 'network', false],
	['169.254.169.254', 'host', false],
	['100.64.0.1', 'network', false],
	['0.0.0.0', 'host', false],
	['[fe80::1]', 'host', false],
	['[fd00::1]', 'network', false],
	['[::ffff:10.0.0.1]', 'network', false],
	['2130706433', 'host', true],
	['0x7f.1', 'host', true],
	['224.0.0.1', 'host', false],
	['8.8.8.8', 'internet', false],
	['[2001:4860:4860::8888]', 'internet', false],
	['[64:ff9b::808:808]', 'internet', false],
	['[64:ff9b::a00:1]', 'network', false],
	['[64:ff9b::a9fe:a9fe]', 'host', false],
];
for (const [host, reach, loops] of addresses)
	test(`${host} is of the ${reach}`, async (t) => {
		const url = new URL(`http://${host}/`);
		t.like(await HostAddresses.of(url), {nearest: Reach[reach], farthest: Reach[reach]});
		t.is(isLoopback(url), loops);
	});
