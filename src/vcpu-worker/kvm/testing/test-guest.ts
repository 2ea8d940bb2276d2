/** A guest of a few bytes for the tests of this folder: one vCPU, some RAM, code at 0x1000. */

import type {Segment, SpecialRegisters} from '#devices/processor';
import {addressOf, close} from '#support/ffi';
import {allocateSharedPages} from '#support/shared-memory';
import {supportedCpuid, vcpuMmapSize} from '../capabilities.ts';
import {ExitReader} from '../exits.ts';
import {prepareThread} from '../kick.ts';
import {KvmVm} from '../kvm-vm.ts';
import {openKvm} from '../system.ts';
import {type ControlMemory, controlBytes, KvmVcpu} from '../vcpu.ts';

/** Address where {@link startGuest} puts the code. */
export const codeAddress = 0x1000;
/** Virtual address at which {@link enterLongMode} shows the memory from {@link highMemory} on. */
export const highWindow = 0x4000_0000;
/** Guest-physical address beyond 4 GiB. */
export const highMemory = 0x1_4000_0000;

/** again: out 0xff, al; jmp again. A guest that runs past its code exits, instead of hanging the test. */
const endlessExits = [0xe6, 0xff, 0xeb, 0xfc];

const ramBytes = 0x20_0000;
const controlBytesLength = 0x1_0000;

export interface TestGuest extends Disposable {
	readonly kvmFd: number;
	readonly partition: KvmVm;
	readonly vcpu: KvmVcpu;
	readonly exits: ExitReader;
	readonly control: ControlMemory;
	readonly ram: Uint8Array;
	/** Thread that may run the vCPU. */
	readonly tid: number;
}

export interface GuestOptions {
	readonly code: readonly number[];
	/** `kernel` by default. */
	readonly irqchip?: 'kernel' | 'split' | 'none';
	/** Runs after the interrupt controllers exist and before the vCPU. */
	readonly beforeVcpu?: (partition: KvmVm) => void;
}

/** Creates the guest, in real mode with every segment at 0, about to run its code. */
export function startGuest({code, irqchip = 'kernel', beforeVcpu}: GuestOptions): TestGuest {
	const tid = prepareThread();
	const kvmFd = openKvm();
	const partition = KvmVm.create(kvmFd);
	const irqchips = {
		kernel: () => partition.createKernelIrqchip(),
		split: () => partition.createSplitIrqchip(),
		none: () => {},
	};
	irqchips[irqchip]();
	beforeVcpu?.(partition);
	const buffer = allocateSharedPages(ramBytes);
	const ram = new Uint8Array(buffer);
	partition.setMemory({slot: 0, gpa: 0, length: ramBytes, hostAddress: addressOf(buffer)});
	ram.set([...code, ...endlessExits], codeAddress);
	const control = {buffer: allocateSharedPages(controlBytesLength), byteOffset: 0, byteLength: controlBytesLength};
	const vcpu = KvmVcpu.create(partition.fd, 0, control, vcpuMmapSize(kvmFd));
	vcpu.setCpuid(supportedCpuid(kvmFd));
	enterRealMode(vcpu);
	return {
		kvmFd,
		partition,
		vcpu,
		exits: new ExitReader(controlBytes(control)),
		control,
		ram,
		tid,
		[Symbol.dispose]() {
			vcpu.close();
			partition.close();
			close(kvmFd);
		},
	};
}

/** Sets the instruction pointer and clears the other general registers. */
export function jump(vcpu: KvmVcpu, rip: number): void {
	const zero = Object.fromEntries(Object.keys(vcpu.getGeneral()).map((name) => [name, 0n]));
	vcpu.setGeneral({...(zero as ReturnType<KvmVcpu['getGeneral']>), rip: BigInt(rip), rflags: 2n, rsp: 0x8000n});
}

/** Real mode, every segment at 0, about to run the code. */
export function enterRealMode(vcpu: KvmVcpu): void {
	const special = vcpu.getSpecial();
	vcpu.setSpecial({...special, cs: {...special.cs, base: 0n, selector: 0}});
	jump(vcpu, codeAddress);
}

const flat: Segment = {
	base: 0n,
	limit: 0xffff_ffff,
	selector: 0x10,
	type: 3,
	present: true,
	dpl: 0,
	db: true,
	s: true,
	l: false,
	g: true,
};
const PML4 = 0x10000;
const large = 0x83n;

/** Long mode: the first GiB mapped to itself, {@link highWindow} to {@link highMemory}, in pages of 2 MiB. */
export function enterLongMode({vcpu, ram}: TestGuest): SpecialRegisters {
	const view = new DataView(ram.buffer);
	const link = (table: number, index: number, value: bigint) => view.setBigUint64(table + index * 8, value, true);
	const [pdpt, low, high] = [PML4 + 0x1000, PML4 + 0x2000, PML4 + 0x3000];
	link(PML4, 0, BigInt(pdpt) | 3n);
	link(pdpt, 0, BigInt(low) | 3n);
	link(pdpt, 1, BigInt(high) | 3n);
	for (let index = 0; index < 512; index++) {
		link(low, index, BigInt(index * 0x20_0000) | large);
		link(high, index, BigInt(highMemory + index * 0x20_0000) | large);
	}
	const special = {
		...vcpu.getSpecial(),
		...{ds: flat, es: flat, fs: flat, gs: flat, ss: flat},
		cs: {...flat, selector: 8, type: 11, db: false, l: true},
		cr0: 0x8000_0011n,
		cr3: BigInt(PML4),
		cr4: 0x20n,
		efer: 0x500n,
	};
	vcpu.setSpecial(special);
	jump(vcpu, codeAddress);
	return special;
}

/** Runs until an exit that `wanted` takes, at most `limit` exits. Returns the run's result: 0 when it came. */
export function runUntil(guest: TestGuest, wanted: () => boolean, limit = 10_000): number {
	for (let exits = 0; exits < limit; exits++) {
		const result = guest.vcpu.run();
		if (result !== 0 || wanted()) return result;
	}
	return -1;
}

/** True at a write to the port. */
export const wrote = ({exits}: TestGuest, port: number): boolean =>
	exits.reason === 2 && exits.io.isWrite && exits.io.port === port;
