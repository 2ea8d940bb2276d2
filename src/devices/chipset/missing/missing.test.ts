import test from 'ava';
import {DeviceUnderTest} from '#devices/testing';
import {missing, missingPorts} from './index.ts';

test('missing ports read all ones, swallow writes and count both', (t) => {
	const device = new DeviceUnderTest(missing, {ports: missingPorts});
	device.out(0xed, 0);
	device.out(0x80, 0x42);
	t.is(device.in(0x80), 0xff);
	t.is(device.in(0x5658, 2), 0xffff);
	t.is(device.state.postCode, 0x42, 'the latest progress code can be inspected');
	t.deepEqual([device.state.reads, device.state.writes], [2, 2]);
});

test('the known ports neither overlap nor leave the port space, and say why they are there', (t) => {
	const all = missingPorts.toSorted((a, b) => a.base - b.base);
	for (const [index, {base, length, why}] of all.entries()) {
		t.true(base + length <= (all[index + 1]?.base ?? 0x10000));
		t.true(why.length > 0);
	}
});
