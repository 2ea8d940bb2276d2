import test from 'ava';
import {addressOf, Errno} from '#support/ffi';
import {allocateSharedPages} from '#support/shared-memory';
import {vcpuMmapSize} from './capabilities.ts';
import {Cap, Exit, MpState} from './constants.ts';
import {getMsrs, setMsrs} from './msrs.ts';
import {msrIndexList} from './system.ts';
import {codeAddress, enterLongMode, highMemory, highWindow, jump, startGuest} from './testing/test-guest.ts';
import {controlBytes, KvmVcpu} from './vcpu.ts';
import {
	getDebugRegisters,
	getEvents,
	getLapic,
	getTscKhz,
	getXcrs,
	getXsave,
	notifyPaused,
	setDebugRegisters,
	setEvents,
	setLapic,
	setTscKhz,
	setXcrs,
	setXsave,
	translate,
} from './vcpu-state.ts';

test('a port read gets the answer, and a port write arrives', (t) => {
	// in al, 0x10; inc al; out 0x11, al
	using guest = startGuest({code: [0xe4, 0x10, 0xfe, 0xc0, 0xe6, 0x11]});
	const {vcpu, exits} = guest;
	t.is(vcpu.run(), 0);
	t.is(exits.reason, Exit.IO);
	t.deepEqual([exits.io.isWrite, exits.io.port, exits.io.size, exits.io.count], [false, 0x10, 1, 1]);
	exits.io.write(0, 0x41);
	t.is(vcpu.run(), 0);
	t.deepEqual([exits.io.isWrite, exits.io.port, exits.io.read(0)], [true, 0x11, 0x42]);
});

test('string output comes as one exit with every item', (t) => {
	// mov si, 0x3000; mov cx, 3; mov dx, 0x300; rep outsw
	using guest = startGuest({code: [0xbe, 0x00, 0x30, 0xb9, 0x03, 0x00, 0xba, 0x00, 0x03, 0xf3, 0x6f]});
	const {vcpu, exits, ram} = guest;
	ram.set([1, 2, 3, 4, 5, 6], 0x3000);
	const items: number[] = [];
	while (items.length < 3) {
		t.is(vcpu.run(), 0);
		t.deepEqual([exits.reason, exits.io.port, exits.io.size], [Exit.IO, 0x300, 2]);
		for (let index = 0; index < exits.io.count; index++) items.push(exits.io.read(index));
	}
	t.deepEqual(items, [0x0201, 0x0403, 0x0605]);
});

test('an access outside memory exits with address, width and data, and its answer reaches the guest', (t) => {
	using guest = startGuest({
		// mov eax, [highWindow + 8]; mov [highWindow + 16], rax
		code: [0x8b, 0x04, 0x25, 8, 0, 0, 0x40, 0x48, 0x89, 0x04, 0x25, 16, 0, 0, 0x40],
	});
	const {vcpu, exits} = guest;
	enterLongMode(guest);
	t.is(vcpu.run(), 0);
	t.is(exits.reason, Exit.MMIO);
	t.deepEqual([exits.mmio.address, exits.mmio.length, exits.mmio.isWrite], [highMemory + 8, 4, false]);
	exits.mmio.write(0, 4, 0xfedcba98);
	t.is(vcpu.run(), 0);
	t.deepEqual([exits.mmio.address, exits.mmio.length, exits.mmio.isWrite], [highMemory + 16, 8, true]);
	t.deepEqual([exits.mmio.read(0, 4), exits.mmio.read(4, 4)], [0xfedcba98, 0]);
});

test('memory beyond 4 GiB is where its slot says, and TRANSLATE finds it', (t) => {
	using guest = startGuest({
		// mov eax, [highWindow]; out 0x10, eax
		code: [0x8b, 0x04, 0x25, 0, 0, 0, 0x40, 0xe7, 0x10],
	});
	const {vcpu, exits, partition} = guest;
	const buffer = allocateSharedPages(0x10000);
	new DataView(buffer).setUint32(0, 0x600dcafe, true);
	partition.setMemory({slot: 1, gpa: highMemory, length: 0x10000, hostAddress: addressOf(buffer)});
	enterLongMode(guest);
	t.is(translate(vcpu.fd, BigInt(highWindow) + 0x123n), highMemory + 0x123);
	t.is(translate(vcpu.fd, 0x8000_0000n), undefined);
	t.is(vcpu.run(), 0);
	t.is(exits.io.read(0), 0x600dcafe);
	partition.clearMemory(1);
	jump(vcpu, codeAddress);
	t.is(vcpu.run(), 0);
	t.is(exits.reason, Exit.MMIO);
});

test('general and special registers read back as written', (t) => {
	using guest = startGuest({code: [0xf4]});
	const {vcpu} = guest;
	const names = Object.keys(vcpu.getGeneral());
	const values = Object.fromEntries(names.map((name, index) => [name, 0x8000_0000_0000_0001n + BigInt(index)]));
	const general = {...vcpu.getGeneral(), ...values, rip: 0x1234n, rflags: 0x246n};
	vcpu.setGeneral(general);
	t.deepEqual(vcpu.getGeneral(), general);
	const special = {
		...enterLongMode(guest),
		gdt: {base: 0x5000n, limit: 0x27},
		idt: {base: 0x6000n, limit: 0xfff},
		cr2: 0xffff_8000_0000_1234n,
		fs: {...enterLongMode(guest).fs, base: 0xffff_8880_0000_0000n},
	};
	vcpu.setSpecial(special);
	t.deepEqual(vcpu.getSpecial(), special);
});

test('completing an exit moves the instruction pointer past the access', (t) => {
	using guest = startGuest({code: [0xe4, 0x10, 0xe6, 0x11]});
	const {vcpu, exits} = guest;
	t.is(vcpu.run(), 0);
	exits.io.write(0, 0x99);
	t.is(vcpu.completeExit(), -Errno.EINTR);
	t.deepEqual([vcpu.getGeneral().rip, vcpu.getGeneral().rax], [BigInt(codeAddress + 2), 0x99n]);
	t.is(vcpu.run(), 0);
	t.deepEqual([exits.io.port, exits.io.read(0)], [0x11, 0x99]);
});

const xmm = Uint8Array.from({length: 256}, (_, index) => index);

test('the XSAVE area reads back as set', (t) => {
	using guest = startGuest({code: [0xf4]});
	const {fd} = guest.vcpu;
	const size = guest.partition.checkExtension(Cap.XSAVE2);
	const area = getXsave(fd, size);
	t.true(area.length >= 4096);
	// The XMM registers are at 160; bits 0 and 1 of the header say that x87 and SSE are not in their initial state.
	area.set(xmm, 160);
	area[512] = 3;
	setXsave(fd, area, size);
	t.deepEqual(getXsave(fd, size).slice(160, 416), xmm);
});

test('XCR0 round-trips', (t) => {
	using guest = startGuest({code: [0xf4]});
	const {vcpu} = guest;
	setXcrs(vcpu.fd, [{xcr: 0, value: 3n}]);
	t.deepEqual(getXcrs(vcpu.fd), [{xcr: 0, value: 3n}]);
});

test('every MSR of the host’s list can be read in one batch, and written back', (t) => {
	using guest = startGuest({code: [0xf4]});
	const {vcpu, kvmFd} = guest;
	const list = msrIndexList(kvmFd);
	t.true(list.length > 20);
	const {done, failed} = getMsrs(vcpu.fd, list);
	t.is(done.length + failed.length, list.length);
	t.true(done.length > 20);
	const tscAux = 0xc000_0103;
	t.deepEqual(setMsrs(vcpu.fd, [{index: tscAux, data: 7n}]), {done: [{index: tscAux, data: 7n}], failed: []});
	t.is(getMsrs(vcpu.fd, [tscAux]).done[0]?.data, 7n);
});

test('an MSR that the host refuses is named, and the others are done', (t) => {
	using guest = startGuest({code: [0xf4]});
	const sysenter = [0x174, 0x175, 0x176];
	const result = getMsrs(guest.vcpu.fd, [0x174, 0xdead_0001, 0x175, 0xdead_0002, 0x176]);
	t.deepEqual(
		result.done.map(({index}) => index),
		sysenter,
	);
	t.deepEqual(result.failed, [0xdead_0001, 0xdead_0002]);
});

test('more MSRs than one call takes are all done', (t) => {
	using guest = startGuest({code: [0xf4]});
	const many = Array.from({length: 600}, () => 0x174);
	t.is(getMsrs(guest.vcpu.fd, many).done.length, 600);
});

test('CPUID reads back as set', (t) => {
	using guest = startGuest({code: [0xf4]});
	const entries = guest.vcpu.getCpuid();
	t.true(entries.length > 10);
	t.true(entries.some(({function: leaf, significantIndex}) => leaf === 0xd && significantIndex));
});

test('local APIC, events, debug registers and MP state round-trip', (t) => {
	using guest = startGuest({code: [0xf4]});
	const {vcpu} = guest;
	const lapic = getLapic(vcpu.fd);
	const spurious = 0xf0;
	lapic[spurious] = 0xef;
	lapic[spurious + 1] = 1;
	setLapic(vcpu.fd, lapic);
	t.deepEqual(getLapic(vcpu.fd).slice(spurious, spurious + 2), Uint8Array.of(0xef, 1));
	const events = getEvents(vcpu.fd);
	setEvents(vcpu.fd, {...events, nmi: {...events.nmi, masked: 1}});
	t.is(getEvents(vcpu.fd).nmi.masked, 1);
	const debug = {...getDebugRegisters(vcpu.fd), db: [1n, 2n, 3n, 4n]};
	setDebugRegisters(vcpu.fd, debug);
	t.deepEqual(getDebugRegisters(vcpu.fd), debug);
	t.is(vcpu.getMpState(), MpState.RUNNABLE);
	vcpu.setMpState(MpState.HALTED);
	t.is(vcpu.getMpState(), MpState.HALTED);
});

test('a second vCPU waits for its start-up signal', (t) => {
	using guest = startGuest({code: [0xf4]});
	const control = {buffer: allocateSharedPages(0x10000), byteOffset: 0, byteLength: 0x10000};
	const second = KvmVcpu.create(guest.partition.fd, 1, control, vcpuMmapSize(guest.kvmFd));
	t.is(second.getMpState(), MpState.UNINITIALIZED);
	second.close();
	t.is(controlBytes(control)[8], 0);
});

test('the TSC frequency is known and can be set to what it is', (t) => {
	using guest = startGuest({code: [0xf4]});
	const khz = getTscKhz(guest.vcpu.fd);
	t.true(khz > 1000);
	setTscKhz(guest.vcpu.fd, khz);
	t.is(getTscKhz(guest.vcpu.fd), khz);
});

test('a guest without kvmclock is told so when paused', (t) => {
	using guest = startGuest({code: [0xf4]});
	t.false(notifyPaused(guest.vcpu.fd));
});

test('a triple fault is a shutdown exit', (t) => {
	// lidt [0x3000] (six zero bytes); int3
	using guest = startGuest({code: [0x0f, 0x01, 0x1e, 0x00, 0x30, 0xcc]});
	t.is(guest.vcpu.run(), 0);
	t.is(guest.exits.reason, Exit.SHUTDOWN);
});

test('a refused ioctl throws its name and errno', (t) => {
	using guest = startGuest({code: [0xf4]});
	const error = t.throws(() => guest.vcpu.setMpState(77), {code: 'KVM_IOCTL_FAILED'});
	t.is(error?.message, 'KVM_SET_MP_STATE failed with EINVAL: state 77');
});
