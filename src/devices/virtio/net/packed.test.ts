import test from 'ava';
import {VnetHeader} from '#devices/network/packet';
import {packet, TestEndpoint} from '#devices/network/testing';
import {PackedDriver, ringEvent, VirtioMachine} from '#devices/virtio/testing';
import {netFeatures} from './features.ts';
import {virtioNetOver} from './virtio-net.ts';

for (const rings of [[], [ringEvent]])
	test(`frames lie in several buffers of a packed ring, again and again${rings.length > 0 ? ', with events by place' : ''}`, async (t) => {
		const endpoint = new TestEndpoint();
		const {pci} = virtioNetOver(async (_source, nic) => {
			endpoint.nic = nic;
			return endpoint;
		});
		const config = {endpoint: {kind: 'none'}, mac: '00:15:5d:01:02:03', mtu: 1500, queues: 1, packed: true};
		const machine = await VirtioMachine.opened(pci as never, 'pci', config);
		const driver = new PackedDriver(machine, 8);
		driver.begin([netFeatures.mergeable, ...rings]);
		const frame = packet({payload: new Uint8Array(4000).fill(5)});
		for (let round = 0; round < 20; round++) {
			for (let head = 0; head < 2; head++)
				driver.offer([{at: 0x4_0000 + 0x1000 * head, length: 1500, writable: true}], {head});
			await driver.notify();
			const before = endpoint.calls.length;
			t.false(endpoint.nic.receive(frame), 'two buffers are not enough');
			driver.offer([{at: 0x4_2000, length: 1500, writable: true}], {head: 2});
			await driver.notify();
			t.is(endpoint.calls.length, before + 1, 'it is told of the third');
			machine.registers.takeInterrupts();
			const interrupts = machine.interrupts.length;
			t.true(endpoint.nic.receive(frame));
			await machine.run();
			t.true(machine.interrupts.length > interrupts || rings.length > 0);
			t.deepEqual(
				driver.used(),
				[1500, 1500, VnetHeader.size + frame.length - 3000].map((length, head) => [head, length]),
			);
		}
		t.deepEqual(machine.failures, []);
	});
