import test from 'ava';
import {IoVectors, MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {EchoControl, echoModel, PackedDriver, ringIndirect, TestDriver, VirtioMachine} from '#devices/virtio/testing';
import {type Chain, PackedDescriptor, PackedFlag, type QueueFault, VirtQueue} from './index.ts';

const [WRITE, NEXT, INDIRECT] = [2, 1, 4];
const size = 4;
const [descriptors, driver, device] = [0x1000, 0x2000, 0x3000];

for (const isPacked of [false, true]) {
	const format = isPacked ? 'packed' : 'split';

	test(`buffers of no bytes in a ${format} queue are no buffers, wherever there could be any`, async (t) => {
		const machine = new VirtioMachine(echoModel('mmio', new EchoControl()) as never, 'mmio');
		const guest = isPacked ? new PackedDriver(machine) : new TestDriver(machine);
		guest.begin();
		machine.memory.copyIn(0x8000, Uint8Array.of(1, 2, 3));
		const nothing = (at: number, writable = false) => ({at, length: 0, writable});
		guest.offer([
			nothing(0xffff_f000),
			{at: 0x8000, length: 3},
			nothing(0),
			nothing(2 ** 40, true),
			{at: 0x9000, length: 3, writable: true},
			nothing(0x10_0000, true),
		]);
		await guest.notify();
		guest.offer([nothing(0), nothing(0, true)], {head: 6});
		await guest.notify();
		t.deepEqual(guest.used(), [
			[0, 3],
			[6, 0],
		]);
		t.is(machine.memory.readU32(0x9000) as unknown, 0x0003_0201);
		t.deepEqual(machine.failures, []);
	});

	/** A queue over RAM that ends at 10000, goes on at once, ends at 20000, and begins again at 30000. */
	const serve = (at: number, length: number, flags = 0): {chain: Chain | undefined; fault: QueueFault | undefined} => {
		const memory = new MappedMemory(
			plainMemory({gpa: 0, length: 0x10000}, {gpa: 0x10000, length: 0x10000}, {gpa: 0x30000, length: 0x10000}),
		);
		memory.writeU64(descriptors, at);
		memory.writeU32(descriptors + 8, length);
		if (isPacked) memory.writeU16(descriptors + PackedDescriptor.offset('flags'), flags | WRITE | PackedFlag.AVAILABLE);
		else {
			memory.writeU16(descriptors + 12, flags | WRITE);
			memory.writeU16(driver + 2, 1);
		}
		let fault: QueueFault | undefined;
		const queue = new VirtQueue({
			memory,
			place: {size, descriptors, driver, device},
			progress: {available: 0, used: 0},
			eventIndex: false,
			indirect: false,
			packed: isPacked,
			inOrder: false,
			isOn: () => true,
			interrupt() {},
			defer() {},
			emptied() {},
			broken: (cause) => {
				fault = cause;
			},
		});
		return {chain: queue.next(), fault};
	};

	test(`a buffer of a ${format} queue may lie in two regions that adjoin, and not in what is between two`, (t) => {
		for (const [at, length] of [
			[0xff00, 0x200],
			[0, 0x20000],
			[0x3fff0, 16],
		] as const) {
			const {chain, fault} = serve(at, length);
			t.is(fault, undefined);
			t.true(chain?.write(0, new Uint8Array(length).fill(7)));
			const vectors = new IoVectors(4);
			t.true(chain?.pin('write', vectors));
			t.deepEqual([vectors.bytes, vectors.count], [length, at < 0x10000 && at + length > 0x10000 ? 2 : 1]);
			vectors.release();
		}
		for (const [at, length] of [
			[0x1ff00, 0x200],
			[0x1ff00, 0x1_0200],
			[0x2ffff, 2],
			[0x20000, 1],
			[0x3fff1, 16],
			[0, 0xffff_ffff],
			[2 ** 52 - 1, 1],
			[2 ** 53, 0xffff_ffff],
		] as const)
			t.deepEqual(serve(at, length), {chain: undefined, fault: 'buffer'}, `${at} ${length}`);
	});
}

test('a table may be longer than its queue, and no longer than any table', async (t) => {
	const control = new EchoControl();
	const machine = new VirtioMachine(echoModel('mmio', control) as never, 'mmio');
	const guest = new TestDriver(machine);
	guest.begin([ringIndirect]);
	const {descriptors: ring} = guest.place();
	const offer = (entries: number) => {
		for (let index = 0; index < entries; index++)
			guest.describe(0x4_0000, index, 0x8000 + index, 1, index === entries - 1 ? WRITE : NEXT, index + 1);
		guest.describe(ring, 0, 0x4_0000, 16 * entries, INDIRECT);
		guest.publish(0);
	};
	offer(1024);
	await guest.notify();
	t.deepEqual(guest.used(), [[0, 1]]);
	offer(1025);
	await guest.notify();
	t.is(guest.status & 64, 64);
	t.deepEqual([guest.used(), machine.failures], [[], []]);
});
