import test from 'ava';
import {allocatePages, rangeOf} from '#devices/bar-pages';
import {addressOf} from '#support/ffi';
import {Cap, Exit} from './constants.ts';
import {devicePages} from './device-pages.ts';
import {startGuest} from './testing/test-guest.ts';

const ramBytes = 0x2_0000;

test('a guest reaches memory of a device where it is mapped, and only while it is; RAM is never replaced', (t) => {
	// mov ax, 0x2000; mov es, ax; mov [es:4], ax; out 0x10, al; mov [es:4], ax; mov ax, 0x3000; mov es, ax;
	// mov al, [es:5]; out 0x11, al
	const code = [
		...[0xb8, 0x00, 0x20, 0x8e, 0xc0, 0x26, 0xa3, 0x04, 0x00, 0xe6, 0x10],
		...[0x26, 0xa3, 0x04, 0x00, 0xb8, 0x00, 0x30, 0x8e, 0xc0],
		...[0x26, 0xa0, 0x05, 0x00, 0xe6, 0x11],
	];
	using guest = startGuest({code});
	const {partition, vcpu, exits, ram} = guest;
	partition.clearMemory(0);
	partition.setMemory({slot: 0, gpa: 0, length: ramBytes, hostAddress: addressOf(ram)});
	const slots = partition.checkExtension(Cap.NR_MEMSLOTS);
	const memory = allocatePages(0x1_0000);
	const bytes = new Uint8Array(memory.memory.buffer);
	const pages = devicePages(partition.fd, slots);
	t.true(pages.map(0, rangeOf(memory, 0x2_0000)));
	t.false(pages.map(1, rangeOf(memory, 0x1_0000)), 'there is RAM');
	t.is(vcpu.run(), 0);
	t.deepEqual([exits.reason, exits.io.port, bytes[4], bytes[5]], [Exit.IO, 0x10, 0, 0x20]);
	pages.unmap(0);
	t.is(vcpu.run(), 0);
	t.is(exits.reason, Exit.MMIO);
	t.deepEqual([exits.mmio.address, exits.mmio.isWrite, exits.mmio.length], [0x2_0004, true, 2]);
	t.true(pages.map(0, rangeOf(memory, 0x3_0000)));
	t.is(vcpu.run(), 0);
	t.deepEqual([exits.reason, exits.io.port, exits.io.read(0)], [Exit.IO, 0x11, 0x20]);
});
