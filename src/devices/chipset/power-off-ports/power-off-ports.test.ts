import test from 'ava';
import {DeviceUnderTest} from '#devices/testing';
import {knownPowerOffPorts, powerOffPorts} from './index.ts';

test('the power-off value of each port powers off, and nothing else does', (t) => {
	for (const {port, value} of knownPowerOffPorts) {
		const device = new DeviceUnderTest(powerOffPorts, {ports: knownPowerOffPorts});
		for (const other of [0, 1, value ^ 1, 0xffff]) device.out(port, other, 2);
		device.out(port, value & 0xff);
		device.out(port + 1, value >> 8);
		t.deepEqual(device.events, []);
		t.is(device.in(port, 2), 0xffff);
		device.out(port, value, 2);
		t.deepEqual(device.events, [{kind: 'power-off'}]);
		t.is(device.state.requests, 1);
	}
});
