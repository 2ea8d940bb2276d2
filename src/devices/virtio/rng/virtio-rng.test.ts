import test from 'ava';
import {TestDriver, type TransportName, VirtioMachine} from '#devices/virtio/testing';
import {virtioRngMmio, virtioRngPci} from './index.ts';

const models = {pci: virtioRngPci, mmio: virtioRngMmio};
const transports: readonly TransportName[] = ['pci', 'mmio'];

for (const transport of transports) {
	test(`${transport}: a driver gets entropy into all buffers that it gives`, async (t) => {
		const machine = new VirtioMachine(models[transport] as never, transport);
		const driver = new TestDriver(machine);
		t.deepEqual(driver.offered, [28, 29, 32, 34, ...(transport === 'pci' ? [38] : []), 40]);
		driver.begin();
		t.is(driver.status, 0xf);
		driver.offer([
			{at: 0x8000, length: 64, writable: true},
			{at: 0x9000, length: 32, writable: true},
		]);
		driver.offer([{at: 0xa000, length: 16, writable: true}], {head: 2});
		await driver.notify();
		t.deepEqual(driver.used(), [
			[0, 96],
			[2, 16],
		]);
		t.is(machine.interrupts.length, 1, 'one interrupt for both');
		t.is(machine.registers.takeInterrupts(), 1);
		t.deepEqual(
			machine.interrupts.map((each) => each.split(' ')[1]),
			['up', 'down'],
		);
		for (const [at, length] of [
			[0x8000, 64],
			[0x9000, 32],
		] as const) {
			const bytes = new Uint8Array(length);
			machine.memory.copyOut(at, bytes);
			t.true(new Set(bytes).size > 8);
		}
		t.deepEqual(machine.failures, []);
	});
}
