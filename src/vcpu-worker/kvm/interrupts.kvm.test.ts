import test from 'ava';
import {addressOf, close, drainEventfd, eventfd, signalEventfd} from '#support/ffi';
import {getIrqchip, setIrqchip} from './chips.ts';
import {Exit} from './constants.ts';
import {doorbells} from './doorbells.ts';
import {
	assignIoeventfd,
	assignIrqfd,
	deassignIoeventfd,
	deassignIrqfd,
	defaultRoutes,
	setGsiRouting,
} from './interrupts.ts';
import {KvmVm} from './kvm-vm.ts';
import {runUntil, startGuest, type TestGuest, wrote} from './testing/test-guest.ts';
import {getLapic, setLapic} from './vcpu-state.ts';

/** sti; again: in al, 0x10; jmp again. It exits all the time, so a test can never hang. */
const polling = [0xfb, 0xe4, 0x10, 0xeb, 0xfc];

/** Sends a vector to a handler that writes its port: out `port`, al; mov al, 0x20; out 0x20, al; iret. */
function handle({ram}: TestGuest, vector: number, port: number): void {
	const handler = 0x2000 + vector * 16;
	new DataView(ram.buffer).setUint32(vector * 4, handler, true);
	ram.set([0xe6, port, 0xb0, 0x20, 0xe6, 0x20, 0xcf], handler);
}

/** Programs the kernel's PIC as a guest would: vectors from 0x20, everything unmasked. */
function unmaskPic({partition: {fd}}: TestGuest): void {
	const state = getIrqchip(fd);
	setIrqchip(fd, {...state, picMaster: {...state.picMaster, irq_base: 0x20, imr: 0}});
}

/** Turns the local APIC on in its spurious-interrupt register (Intel SDM vol. 3, 11.9). */
function enableLapic({vcpu: {fd}}: TestGuest): void {
	const regs = getLapic(fd);
	regs[0xf1] = 1;
	setLapic(fd, regs);
}

test('raising a line interrupts the guest', (t) => {
	using guest = startGuest({code: polling});
	handle(guest, 0x24, 0x81);
	unmaskPic(guest);
	t.is(guest.partition.irqLine(4, 1), 0);
	t.is(
		runUntil(guest, () => wrote(guest, 0x81)),
		0,
	);
	t.is(guest.partition.irqLine(4, 0), 0);
});

test('another object over the same VM raises its lines', (t) => {
	using guest = startGuest({code: polling});
	handle(guest, 0x24, 0x81);
	unmaskPic(guest);
	const other = KvmVm.fromFd(guest.partition.fd);
	other.irqLine(4, 1);
	t.is(
		runUntil(guest, () => wrote(guest, 0x81)),
		0,
	);
});

test('a signalled irqfd interrupts the guest, until it is deassigned', (t) => {
	using guest = startGuest({code: polling});
	handle(guest, 0x23, 0x82);
	unmaskPic(guest);
	const fd = eventfd();
	assignIrqfd(guest.partition.fd, fd, 3);
	signalEventfd(fd);
	t.is(
		runUntil(guest, () => wrote(guest, 0x82)),
		0,
	);
	deassignIrqfd(guest.partition.fd, fd, 3);
	signalEventfd(fd);
	t.is(
		runUntil(guest, () => wrote(guest, 0x82), 200),
		-1,
	);
	close(fd);
});

test('a level-triggered irqfd signals its other eventfd at the end of the interrupt', (t) => {
	using guest = startGuest({code: polling});
	handle(guest, 0x25, 0x83);
	const {fd: vmFd} = guest.partition;
	const state = getIrqchip(vmFd);
	setIrqchip(vmFd, {...state, picMaster: {...state.picMaster, irq_base: 0x20, imr: 0, elcr: 1 << 5}});
	const [trigger, resample] = [eventfd(), eventfd()];
	assignIrqfd(vmFd, trigger, 5, resample);
	signalEventfd(trigger);
	t.is(
		runUntil(guest, () => wrote(guest, 0x83)),
		0,
	);
	const scratch = new Uint8Array(8);
	t.is(
		runUntil(guest, () => drainEventfd(resample, scratch)),
		0,
	);
	close(trigger);
	close(resample);
});

test('a message-routed input and a direct message reach their vectors', (t) => {
	using guest = startGuest({code: polling});
	handle(guest, 0x41, 0x84);
	handle(guest, 0x51, 0x85);
	enableLapic(guest);
	const {partition} = guest;
	const message = {addressLow: 0xfee0_0000, addressHigh: 0, data: 0x41};
	setGsiRouting(partition.fd, [...defaultRoutes(), {kind: 'msi', gsi: 30, ...message}]);
	const fd = eventfd();
	assignIrqfd(partition.fd, fd, 30);
	signalEventfd(fd);
	t.is(
		runUntil(guest, () => wrote(guest, 0x84)),
		0,
	);
	t.is(partition.signalMsi(0xfee0_0000, 0, 0x51), 1);
	t.is(
		runUntil(guest, () => wrote(guest, 0x85)),
		0,
	);
	close(fd);
});

test('default routes leave the lines as they were', (t) => {
	using guest = startGuest({code: polling});
	handle(guest, 0x24, 0x81);
	unmaskPic(guest);
	setGsiRouting(guest.partition.fd, defaultRoutes());
	guest.partition.irqLine(4, 1);
	t.is(
		runUntil(guest, () => wrote(guest, 0x81)),
		0,
	);
});

test('a port doorbell signals on its value only, without an exit', (t) => {
	// mov al, 0x55; out 0x60, al; mov al, 0x56; out 0x60, al
	using guest = startGuest({code: [0xb0, 0x55, 0xe6, 0x60, 0xb0, 0x56, 0xe6, 0x60]});
	const {vcpu, exits, partition} = guest;
	const fd = eventfd();
	const scratch = new Uint8Array(8);
	const doorbell = {space: 'pio', address: 0x60, length: 1, match: 0x55n, fd} as const;
	assignIoeventfd(partition.fd, doorbell);
	t.throws(() => assignIoeventfd(partition.fd, doorbell), {message: 'KVM_IOEVENTFD failed with EEXIST: pio 0x60'});
	t.is(vcpu.run(), 0);
	t.deepEqual([exits.reason, exits.io.port, exits.io.read(0)], [Exit.IO, 0x60, 0x56]);
	t.true(drainEventfd(fd, scratch));
	deassignIoeventfd(partition.fd, doorbell);
	close(fd);
});

test('a memory doorbell of any width signals, and is an exit again when removed', (t) => {
	// mov ax, 0xffff; mov es, ax; again: mov [es:0x18], ax (at 1 MiB + 8); out 0x10, al; jmp again
	const code = [0xb8, 0xff, 0xff, 0x8e, 0xc0, 0x26, 0xa3, 0x18, 0x00, 0xe6, 0x10, 0xeb, 0xf8];
	using guest = startGuest({code});
	const {vcpu, exits, partition, ram} = guest;
	partition.clearMemory(0);
	const length = 0x10_0000;
	partition.setMemory({slot: 0, gpa: 0, length, hostAddress: addressOf(ram)});
	const fd = eventfd();
	const doorbell = {space: 'mmio', address: 0x10_0008, length: 0, fd} as const;
	assignIoeventfd(partition.fd, doorbell);
	t.is(vcpu.run(), 0);
	t.is(exits.reason, Exit.IO);
	t.true(drainEventfd(fd, new Uint8Array(8)));
	deassignIoeventfd(partition.fd, doorbell);
	t.is(vcpu.run(), 0);
	t.deepEqual([exits.reason, exits.mmio.address, exits.mmio.length], [Exit.MMIO, 0x10_0008, 2]);
	close(fd);
});

test('a doorbell that the kernel does not take is left to the bus', (t) => {
	using guest = startGuest({code: polling});
	const backEnd = doorbells(guest.partition.fd);
	const fd = eventfd();
	const doorbell = {space: 'pio', address: 0x60, size: 2, match: 1, fd} as const;
	t.true(backEnd.assign(doorbell));
	t.false(backEnd.assign(doorbell), 'somebody else has it');
	t.true(backEnd.assign({...doorbell, match: 2}));
	t.false(backEnd.assign({space: 'pio', address: 0x70, size: 'any', fd}));
	t.true(backEnd.assign({space: 'mmio', address: 0xe000_0000, size: 'any', fd}));
	backEnd.unassign(doorbell);
	t.true(backEnd.assign(doorbell));
	close(fd);
});

test('a non-maskable interrupt reaches its vector with interrupts off', (t) => {
	using guest = startGuest({code: [0xe4, 0x10, 0xeb, 0xfc]});
	handle(guest, 2, 0x86);
	guest.vcpu.nmi();
	t.is(
		runUntil(guest, () => wrote(guest, 0x86)),
		0,
	);
});

test('without local APICs an interrupt is injected when the guest’s window opens', (t) => {
	using guest = startGuest({code: polling, irqchip: 'none'});
	handle(guest, 0x30, 0x87);
	guest.exits.requestInterruptWindow(true);
	t.is(
		runUntil(guest, () => guest.exits.reason === Exit.IRQ_WINDOW_OPEN),
		0,
	);
	t.true(guest.exits.readyForInterrupt);
	guest.exits.requestInterruptWindow(false);
	guest.vcpu.interrupt(0x30);
	t.is(
		runUntil(guest, () => wrote(guest, 0x87)),
		0,
	);
});
