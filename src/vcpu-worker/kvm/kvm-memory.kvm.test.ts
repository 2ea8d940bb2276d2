import test from 'ava';
import {addressOf} from '#support/ffi';
import {KvmMemory} from './kvm-memory.ts';
import {codeAddress, startGuest} from './testing/test-guest.ts';

// mov [0x7008], al; out 0x10, al; mov [0x9008], al; out 0x11, al; mov [0xa008], al; out 0x12, al
const code = [0xa2, 0x08, 0x70, 0xe6, 0x10, 0xa2, 0x08, 0x90, 0xe6, 0x11, 0xa2, 0x08, 0xa0, 0xe6, 0x12];

for (const [way, inChunks] of [
	['in chunks', true],
	['by reading it', false],
] as const) {
	test(`pages that the guest stores to are told once, from start to stop, where the log is cleared ${way}`, (t) => {
		using guest = startGuest({code});
		const {partition, vcpu, ram} = guest;
		partition.clearMemory(0);
		const memory = new KvmMemory(partition, inChunks);
		memory.map({gpa: 0, length: ram.length, hostAddress: Number(addressOf(ram))});
		const told = () => {
			const pages: number[] = [];
			memory.collect((gpa, length) => {
				for (let page = gpa; page < gpa + length; page += 4096) pages.push(page);
			});
			// KVM may count the page the code runs from, which it maps writable as well.
			return pages.filter((page) => page !== codeAddress);
		};
		memory.start();
		t.is(vcpu.run(), 0);
		t.deepEqual(told(), [0x7000]);
		t.deepEqual(told(), []);
		memory.start();
		memory.stop();
		t.is(vcpu.run(), 0);
		t.deepEqual(told(), [0x9000], 'somebody watches still');
		memory.stop();
		t.is(vcpu.run(), 0);
		memory.start();
		t.deepEqual(told(), [], 'what nobody has watched');
		memory.forget();
		memory.stop();
	});
}
