import test from 'ava';
import {supportedCpuid} from '#vcpu-worker/kvm';
import {startGuest, type TestGuest} from '#vcpu-worker/kvm/testing';
import type {CpuidEntry} from './cpuid-entry.ts';
import {guestCpuid} from './guest-cpuid.ts';

const options = {x2apic: true, tscDeadline: true};
const sixth = {apicId: 13, threadBits: 1, socketShift: 3};
/** Bits that KVM keeps in step with control registers and MSRs, so they change after KVM_SET_CPUID2. */
const live: Readonly<Record<number, Partial<Record<'ebx' | 'ecx' | 'edx', number>>>> = {
	1: {ecx: 1 << 27, edx: 1 << 9},
	7: {ecx: 1 << 4},
	13: {ebx: 0xffff_ffff},
};

const le32 = (value: number) => [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
/** mov eax, leaf; mov ecx, index; cpuid; then each register out to port 10. */
const askCpuid = (leaf: number, index: number) => [
	...[0x66, 0xb8, ...le32(leaf), 0x66, 0xb9, ...le32(index), 0x0f, 0xa2, 0x66, 0xe7, 0x10],
	...[0x66, 0x89, 0xd8, 0x66, 0xe7, 0x10, 0x66, 0x89, 0xc8, 0x66, 0xe7, 0x10, 0x66, 0x89, 0xd0, 0x66, 0xe7, 0x10],
];
const nextOut = (guest: TestGuest) => (guest.vcpu.run() === 0 ? guest.exits.io.read(0) >>> 0 : undefined);

function stable(entry: CpuidEntry): CpuidEntry {
	const {ebx = 0, ecx = 0, edx = 0} = live[entry.function] ?? {};
	return {...entry, ebx: (entry.ebx & ~ebx) >>> 0, ecx: (entry.ecx & ~ecx) >>> 0, edx: (entry.edx & ~edx) >>> 0};
}

test('KVM takes the whole policy and gives the same entries back', (t) => {
	using guest = startGuest({code: [0xf4]});
	const entries = guestCpuid(supportedCpuid(guest.kvmFd), options)(sixth);
	guest.vcpu.setCpuid(entries);
	const kept = guest.vcpu.getCpuid();
	t.deepEqual(kept.map(stable), entries.map(stable));
});

test('the guest finds KVM, its APIC id and its place by the CPUID instruction', (t) => {
	const code = [...askCpuid(0x4000_0000, 0), ...askCpuid(0x1, 0), ...askCpuid(0xb, 1)];
	using guest = startGuest({code});
	guest.vcpu.setCpuid(guestCpuid(supportedCpuid(guest.kvmFd), options)(sixth));
	const answers = Array.from({length: 12}, () => nextOut(guest));
	t.deepEqual(answers.slice(0, 4), [0x4000_0001, 0x4b4d_564b, 0x564b_4d56, 0x4d]);
	t.is((answers[5] ?? 0) >>> 16, 0x0d08);
	t.is((answers[6] ?? 0) >>> 31, 1);
	t.deepEqual(answers.slice(8), [3, 8, 0x201, 13]);
});
