/** The parts of a vCPU's state besides its registers, for save and restore, debugging and inspection. */
import type {Fields, PlainFields, Wire} from '#support/wire';
import {ArgumentBuffer} from './argument-buffer.ts';
import {ioctl, kvmIoctl} from './ioctl.ts';
import {type IoctlName, ioctls} from './ioctls.ts';
import {
	type DebugRegisters,
	KvmDebugregs,
	KvmLapicState,
	KvmVcpuEvents,
	KvmXcrs,
	KvmXsave,
	type VcpuEvents,
} from './structs-vcpu.ts';
import {KvmTranslation} from './structs-vm.ts';

function get<F extends Fields>(vcpuFd: number, name: IoctlName, layout: Wire<F>): PlainFields<F> {
	const buffer = new ArgumentBuffer(layout.size);
	kvmIoctl(vcpuFd, name, buffer);
	return layout.read(buffer.view);
}

function set<F extends Fields>(vcpuFd: number, name: IoctlName, layout: Wire<F>, state: PlainFields<F>): void {
	kvmIoctl(vcpuFd, name, new ArgumentBuffer(layout.size).with(layout, state));
}

/** KVM_GET_VCPU_EVENTS. */
export const getEvents = (vcpuFd: number): VcpuEvents => get(vcpuFd, 'KVM_GET_VCPU_EVENTS', KvmVcpuEvents);
/** KVM_SET_VCPU_EVENTS; `flags` ({@link VcpuEventValid}) says which optional parts are taken, as KVM_GET reports them. */
export const setEvents = (vcpuFd: number, state: VcpuEvents): void =>
	set(vcpuFd, 'KVM_SET_VCPU_EVENTS', KvmVcpuEvents, state);

/** DR0–DR3, DR6, DR7. */
export const getDebugRegisters = (vcpuFd: number): DebugRegisters => get(vcpuFd, 'KVM_GET_DEBUGREGS', KvmDebugregs);
/** KVM_SET_DEBUGREGS. */
export const setDebugRegisters = (vcpuFd: number, state: DebugRegisters): void =>
	set(vcpuFd, 'KVM_SET_DEBUGREGS', KvmDebugregs, state);

/** The local APIC's register page, 1 KiB. Needs local APICs in the kernel. */
export const getLapic = (vcpuFd: number): Uint8Array => get(vcpuFd, 'KVM_GET_LAPIC', KvmLapicState).regs;
/** KVM_SET_LAPIC; after the special registers, whose APIC base decides the format. */
export const setLapic = (vcpuFd: number, regs: Uint8Array): void => set(vcpuFd, 'KVM_SET_LAPIC', KvmLapicState, {regs});

/**
 * The XSAVE area (Intel SDM vol. 1, 13.4), non-compacted. Every register beyond x87 and SSE is here.
 * @param size - `KVM_CAP_XSAVE2` of this VM when that is more than 0, which may pass 4096; else 4096
 */
export function getXsave(vcpuFd: number, size: number = KvmXsave.size): Uint8Array {
	const buffer = new ArgumentBuffer(Math.max(size, KvmXsave.size));
	kvmIoctl(vcpuFd, size > KvmXsave.size ? 'KVM_GET_XSAVE2' : 'KVM_GET_XSAVE', buffer);
	return buffer.bytes;
}

/**
 * KVM_SET_XSAVE. The kernel reads as many bytes as {@link getXsave} gives on this host.
 * @param size - as for {@link getXsave}; a shorter `state` is continued with zeros, which is the initial state
 */
export function setXsave(vcpuFd: number, state: Uint8Array, size: number = KvmXsave.size): void {
	const buffer = new ArgumentBuffer(Math.max(size, state.length, KvmXsave.size));
	buffer.bytes.set(state);
	kvmIoctl(vcpuFd, 'KVM_SET_XSAVE', buffer, `${state.length} bytes`);
}

/** An extended control register: its index (0 is XCR0) and value. */
export interface ExtendedControlRegister {
	readonly xcr: number;
	readonly value: bigint;
}

/** KVM_GET_XCRS; none where the host has no XSAVE. */
export function getXcrs(vcpuFd: number): ExtendedControlRegister[] {
	const {nr_xcrs: count, xcrs} = get(vcpuFd, 'KVM_GET_XCRS', KvmXcrs);
	return xcrs.slice(0, count);
}

/** KVM_SET_XCRS; before {@link setXsave}, which XCR0 governs. */
export const setXcrs = (vcpuFd: number, xcrs: readonly ExtendedControlRegister[]): void =>
	set(vcpuFd, 'KVM_SET_XCRS', KvmXcrs, {nr_xcrs: xcrs.length, flags: 0, xcrs});

/** Translates a guest-virtual address by the guest's current page tables (KVM_TRANSLATE); undefined: nowhere. */
export function translate(vcpuFd: number, linear: bigint): number | undefined {
	const buffer = new ArgumentBuffer(KvmTranslation.size).with(KvmTranslation, {linear_address: linear});
	kvmIoctl(vcpuFd, 'KVM_TRANSLATE', buffer);
	const {valid, physical_address: physical} = KvmTranslation.read(buffer.view);
	return valid === 0 ? undefined : Number(physical);
}

/** Guest TSC frequency in kHz. */
export const getTscKhz = (vcpuFd: number): number => kvmIoctl(vcpuFd, 'KVM_GET_TSC_KHZ');
/** Sets the guest TSC frequency, where the host can scale (`KVM_CAP_TSC_CONTROL`) or it is the host's own. */
export const setTscKhz = (vcpuFd: number, khz: number): void => {
	kvmIoctl(vcpuFd, 'KVM_SET_TSC_KHZ', khz, `${khz} kHz`);
};

/**
 * Tells the guest's kvmclock that the host stopped it, so that its watchdog stays calm (KVM_KVMCLOCK_CTRL).
 * False when the guest does not use that clock.
 */
export function notifyPaused(vcpuFd: number): boolean {
	return ioctl(vcpuFd, ioctls.KVM_KVMCLOCK_CTRL.request, 0) === 0;
}
