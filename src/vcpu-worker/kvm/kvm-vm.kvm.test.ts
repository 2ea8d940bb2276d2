import test from 'ava';
import {addressOf, close} from '#support/ffi';
import {allocateSharedPages} from '#support/shared-memory';
import {getIrqchip, getPit, setIrqchip, setPit} from './chips.ts';
import {Clock, Exit, MsrExitReason} from './constants.ts';
import {KvmVm} from './kvm-vm.ts';
import {setMsrFilter} from './msr-filter.ts';
import {openKvm} from './system.ts';
import {codeAddress, jump, startGuest} from './testing/test-guest.ts';
import {getLapic} from './vcpu-state.ts';

/** KVM may count the page the code runs from, which it maps writable as well. */
const codePage = 1 << (codeAddress >> 12);

test('the dirty log names the pages the guest wrote, once', (t) => {
	// mov [0x7008], al; out 0x10, al
	using guest = startGuest({code: [0xa2, 0x08, 0x70, 0xe6, 0x10]});
	const {partition, vcpu, ram} = guest;
	const bitmap = new Uint8Array(new ArrayBuffer(64));
	partition.setMemory({slot: 0, gpa: 0, length: ram.length, hostAddress: addressOf(ram), logDirty: true});
	t.is(vcpu.run(), 0);
	partition.readDirtyLog(0, bitmap);
	t.deepEqual(
		[...bitmap.slice(0, 2)].map((byte) => byte & ~codePage),
		[1 << 7, 0],
	);
	partition.readDirtyLog(0, bitmap);
	t.is(bitmap[0], 0);
});

test('a manual dirty log keeps a page until it is cleared', (t) => {
	using guest = startGuest({
		code: [0xa2, 0x08, 0x70, 0xe6, 0x10],
		beforeVcpu: (partition) => partition.enableManualDirtyLog(),
	});
	const {partition, vcpu, ram} = guest;
	const bitmap = new Uint8Array(new ArrayBuffer(64));
	partition.setMemory({slot: 0, gpa: 0, length: ram.length, hostAddress: addressOf(ram), logDirty: true});
	t.is(vcpu.run(), 0);
	partition.readDirtyLog(0, bitmap);
	partition.readDirtyLog(0, bitmap);
	t.is((bitmap[0] as number) & ~codePage, 1 << 7);
	partition.clearDirtyLog(0, bitmap, 0, 64);
	partition.readDirtyLog(0, bitmap);
	t.is(bitmap[0], 0);
});

test('a write to read-only memory exits and changes nothing', (t) => {
	// mov ax, 0x2000; mov es, ax; mov al, [es:4]; mov [es:4], ax
	const code = [0xb8, 0x00, 0x20, 0x8e, 0xc0, 0x26, 0xa0, 0x04, 0x00, 0x26, 0xa3, 0x04, 0x00];
	using guest = startGuest({code});
	const {partition, vcpu, exits, ram} = guest;
	const rom = allocateSharedPages(0x10000);
	new Uint8Array(rom)[4] = 0x5a;
	partition.clearMemory(0);
	partition.setMemory({slot: 0, gpa: 0, length: 0x20000, hostAddress: addressOf(ram)});
	partition.setMemory({slot: 1, gpa: 0x20000, length: 0x10000, hostAddress: addressOf(rom), readOnly: true});
	t.is(vcpu.run(), 0);
	t.is(exits.reason, Exit.MMIO);
	t.deepEqual([exits.mmio.address, exits.mmio.isWrite, exits.mmio.length], [0x20004, true, 2]);
	t.is(exits.mmio.read(0, 2), 0x205a);
	t.is(new Uint8Array(rom)[4], 0x5a);
});

test('overlapping memory slots are refused with both the ioctl and the errno', (t) => {
	using guest = startGuest({code: [0xf4]});
	const {partition, ram} = guest;
	const overlap = () => partition.setMemory({slot: 1, gpa: 0x1000, length: 0x1000, hostAddress: addressOf(ram)});
	const error = t.throws(overlap, {code: 'KVM_IOCTL_FAILED'});
	t.is(error?.message, 'KVM_SET_USER_MEMORY_REGION failed with EEXIST: slot 1, 4096 bytes at 0x1000');
});

test('interrupt controllers and timer of the kernel round-trip', (t) => {
	using guest = startGuest({code: [0xf4]});
	const {fd} = guest.partition;
	const state = getIrqchip(fd);
	const changed = {...state, picMaster: {...state.picMaster, irq_base: 0x20, imr: 0xef}};
	setIrqchip(fd, changed);
	t.deepEqual(getIrqchip(fd), changed);
	t.is(state.ioapic.base_address, 0xfec0_0000n);
	t.is(state.ioapic.redirtbl.length, 24);
	const pit = getPit(fd);
	const [first, second, third] = pit.channels;
	const slower = {...pit, channels: [first, second, {...third, count: 0x1234}]} as typeof pit;
	setPit(fd, slower);
	t.is(getPit(fd).channels[2]?.count, 0x1234);
});

test('a split interrupt controller has local APICs, and no other', (t) => {
	using guest = startGuest({code: [0xe6, 0x10], irqchip: 'split'});
	t.is(getLapic(guest.vcpu.fd).length, 1024);
	t.throws(() => getIrqchip(guest.partition.fd), {code: 'KVM_IOCTL_FAILED', message: /^KVM_GET_IRQCHIP failed with /});
	t.is(guest.vcpu.run(), 0);
});

test('extended APIC ids are accepted', (t) => {
	using guest = startGuest({
		code: [0xe6, 0x10],
		irqchip: 'split',
		beforeVcpu: (partition) => partition.enableExtendedApicIds(),
	});
	t.is(guest.vcpu.run(), 0);
});

test('the clock can be set, and goes on from there', (t) => {
	using guest = startGuest({code: [0xf4]});
	const {partition} = guest;
	partition.setClock({clock: 5_000_000_000_000n});
	const {clock, flags, realtime} = partition.getClock();
	t.true(clock >= 5_000_000_000_000n && clock < 5_060_000_000_000n);
	t.is((flags & Clock.REALTIME) !== 0, realtime !== 0n);
});

// mov ecx, 0x4b564dff; rdmsr; out 0x10, eax; wrmsr; out 0x11, al
const unknownMsr = [0x66, 0xb9, 0xff, 0x4d, 0x56, 0x4b, 0x0f, 0x32, 0x66, 0xe7, 0x10, 0x0f, 0x30, 0xe6, 0x11];

test('an MSR that KVM does not know exits, and its answer reaches the guest', (t) => {
	using guest = startGuest({code: unknownMsr, beforeVcpu: (partition) => partition.enableUserSpaceMsrs()});
	const {vcpu, exits, ram} = guest;
	t.is(vcpu.run(), 0);
	t.is(exits.reason, Exit.X86_RDMSR);
	t.deepEqual([exits.msr.index, exits.msr.reason], [0x4b56_4dff, MsrExitReason.UNKNOWN]);
	exits.msr.answer(0x89abcdef, 0x1234_5678);
	t.is(vcpu.run(), 0);
	t.is(exits.io.read(0), 0x89abcdef);
	t.is(vcpu.run(), 0);
	t.is(exits.reason, Exit.X86_WRMSR);
	t.deepEqual([exits.msr.low, exits.msr.high], [0x89abcdef, 0x1234_5678]);
	// General protection faults lead to 0x2000: out 0x12, al.
	new DataView(ram.buffer).setUint32(13 * 4, 0x2000, true);
	ram.set([0xe6, 0x12], 0x2000);
	exits.msr.refuse();
	t.is(vcpu.run(), 0);
	t.is(exits.io.port, 0x12);
	jump(vcpu, codeAddress + 11);
	t.is(vcpu.run(), 0);
	exits.msr.accept();
	t.is(vcpu.run(), 0);
	t.is(exits.io.port, 0x11);
});

test('a filtered MSR exits, its neighbours do not', (t) => {
	// mov cl, 0x75; mov ch, 1 (ecx = 0x175); rdmsr; dec cl; rdmsr
	using guest = startGuest({
		code: [0xb1, 0x75, 0xb5, 0x01, 0x0f, 0x32, 0xfe, 0xc9, 0x0f, 0x32],
		beforeVcpu: (partition) => partition.enableUserSpaceMsrs(),
	});
	setMsrFilter(guest.partition.fd, [{base: 0x174, allow: [false, true, true], access: 'both'}], 'allow');
	t.is(guest.vcpu.run(), 0);
	t.is(guest.exits.reason, Exit.X86_RDMSR);
	t.deepEqual([guest.exits.msr.index, guest.exits.msr.reason], [0x174, MsrExitReason.FILTER]);
});

test('many VMs can live and die in one process', (t) => {
	const kvmFd = openKvm();
	const partitions = Array.from({length: 8}, () => KvmVm.create(kvmFd));
	t.is(new Set(partitions.map(({fd}) => fd)).size, 8);
	for (const partition of partitions) partition.close();
	close(kvmFd);
});
