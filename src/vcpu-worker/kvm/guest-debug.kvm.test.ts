import test from 'ava';
import {Exit} from './constants.ts';
import {setGuestDebug} from './guest-debug.ts';
import {probeDebug} from './probe-debug.ts';
import {codeAddress, enterLongMode, startGuest, type TestGuest} from './testing/test-guest.ts';

// An emulator that hosts KVM may deliver neither.
const support = probeDebug();
const softwareTest = support.software ? test : test.skip;
const hardwareTest = support.hardware ? test : test.skip;

const stepping = {singleStep: true, softwareBreakpoints: false};
const breaking = {singleStep: false, softwareBreakpoints: true};
/** DR7: local enable of breakpoint 0, kind and length in bits 16–19 (Intel SDM vol. 3, 18.2.4). */
const watch = (address: number, kind: number, length: number) =>
	[BigInt(address), 0n, 0n, 0n, 0n, 0n, 0xffff_0ff0n, BigInt(0x401 | (kind << 16) | ((length - 1) << 18))] as const;

function stopsAt(guest: TestGuest): {readonly exception: number; readonly offset: number; readonly dr6: number} {
	const {vcpu, exits} = guest;
	const result = vcpu.run();
	if (result !== 0 || exits.reason !== Exit.DEBUG) throw new Error(`${result}, ${exits.describe()}`);
	const {exception, pc, dr6} = exits.debug();
	return {exception, offset: Number(pc) - codeAddress, dr6: Number(dr6 & 0x400fn)};
}

test('single-stepping exits after each instruction', (t) => {
	using guest = startGuest({code: [0x90, 0x90]});
	setGuestDebug(guest.vcpu.fd, stepping);
	t.like(stopsAt(guest), {exception: 1, offset: 1});
	t.like(stopsAt(guest), {exception: 1, offset: 2});
	setGuestDebug(guest.vcpu.fd, undefined);
});

test('a port access is a step, which ends when the access is complete', (t) => {
	using guest = startGuest({code: [0xe6, 0x10, 0xe4, 0x11]});
	const {vcpu, exits} = guest;
	setGuestDebug(vcpu.fd, stepping);
	t.is(vcpu.run(), 0);
	t.is(exits.reason, Exit.IO);
	t.like(stopsAt(guest), {exception: 1, offset: 2});
	t.is(vcpu.run(), 0);
	exits.io.write(0, 0x55);
	t.is(vcpu.completeExit(), 0);
	t.is(exits.reason, Exit.DEBUG);
	t.is(vcpu.getGeneral().rax, 0x55n);
});

softwareTest('INT3 exits at its own address, and can be given to the guest', (t) => {
	// int3; out 0x11, al; at 0x2000: out 0x10, al; iret
	using guest = startGuest({code: [0xcc, 0xe6, 0x11]});
	const {vcpu, exits, ram} = guest;
	ram.set([0x00, 0x20, 0x00, 0x00], 3 * 4);
	ram.set([0xe6, 0x10, 0xcf], 0x2000);
	setGuestDebug(vcpu.fd, breaking);
	t.like(stopsAt(guest), {exception: 3, offset: 0});
	t.is(vcpu.getGeneral().rip, BigInt(codeAddress));
	setGuestDebug(vcpu.fd, {...breaking, inject: 'breakpoint'});
	for (const port of [0x10, 0x11]) {
		t.is(vcpu.run(), 0);
		t.deepEqual([exits.reason, exits.io.port], [Exit.IO, port]);
	}
});

hardwareTest('hardware breakpoints stop before an instruction and after an access', (t) => {
	// nop; nop; mov [0x3000], al; nop
	using guest = startGuest({code: [0x90, 0x90, 0x88, 0x04, 0x25, 0x00, 0x30, 0, 0, 0x90]});
	enterLongMode(guest);
	setGuestDebug(guest.vcpu.fd, {...breaking, debugRegisters: watch(codeAddress + 1, 0, 1)});
	t.deepEqual(stopsAt(guest), {exception: 1, offset: 1, dr6: 1});
	setGuestDebug(guest.vcpu.fd, {...breaking, debugRegisters: watch(0x3000, 1, 1)});
	t.deepEqual(stopsAt(guest), {exception: 1, offset: 9, dr6: 1});
});

test("a debug exception that was the guest's own is given to it", (t) => {
	// nop; out 0x11, al; at 0x2000: out 0x10, al; iret
	using guest = startGuest({code: [0x90, 0xe6, 0x11]});
	const {vcpu, exits, ram} = guest;
	ram.set([0x00, 0x20, 0x00, 0x00], 1 * 4);
	ram.set([0xe6, 0x10, 0xcf], 0x2000);
	setGuestDebug(vcpu.fd, {...breaking, inject: 'debug'});
	for (const port of [0x10, 0x11]) {
		t.is(vcpu.run(), 0);
		t.deepEqual([exits.reason, exits.io.port], [Exit.IO, port]);
	}
});
