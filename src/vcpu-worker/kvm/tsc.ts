/** A vCPU's time-stamp counter, saved so that counters of several processors stay as far apart as they were. */

import {Msr} from '#vcpu-worker/registers';
import {vcpuError} from '#vcpu-worker/state';
import {ArgumentBuffer} from './argument-buffer.ts';
import {VcpuTsc} from './constants.ts';
import {ioctl, kvmIoctl} from './ioctl.ts';
import {ioctls} from './ioctls.ts';
import {getMsrs, setMsrs} from './msrs.ts';
import {KvmDeviceAttr} from './structs-vcpu.ts';
import {getTscKhz, setTscKhz} from './vcpu-state.ts';

/** Frequencies that differ by no more than this are the same one measured twice; QEMU and Linux allow as much. */
const tolerance = 250e-6;

/** A counter at the moment it was read. */
export interface TscState {
	readonly khz: number;
	readonly value: bigint;
	/** Guest counter minus (scaled) host counter; undefined where KVM cannot tell (before Linux 5.16). */
	readonly offset: bigint | undefined;
}

const wrap = (value: bigint) => BigInt.asUintN(64, value);

/** Reads the counter. */
export const readTsc = (vcpuFd: number): TscState => ({
	khz: getTscKhz(vcpuFd),
	value: counter(vcpuFd),
	offset: getOffset(vcpuFd),
});

/**
 * Lets the counter go on from where it was read. The first processor's call says by how much its offset has changed; with
 * that `shift` the others' counters keep their distance from it, whenever they are restored.
 * @throws VCPU_COUNTER_FREQUENCY
 */
export function restoreTsc(vcpuFd: number, saved: TscState, shift?: bigint): bigint {
	matchFrequency(vcpuFd, saved.khz, 'VCPU_COUNTER_FREQUENCY');
	const current = getOffset(vcpuFd);
	if (current === undefined) {
		// KVM takes equal values that are written close together for one counter shared by all.
		setMsrs(vcpuFd, [{index: Msr.IA32_TIME_STAMP_COUNTER, data: shift ?? saved.value}]);
		return shift ?? saved.value;
	}
	// A host that cannot tell the offset has saved all counters as of one moment: they are as far apart as the offsets.
	const {offset = saved.value} = saved;
	const change = shift ?? wrap(current + saved.value - counter(vcpuFd) - offset);
	setOffset(vcpuFd, wrap(offset + change));
	return change;
}

/**
 * Lets the counter run at a frequency.
 * @param refusal - code of the error where the host cannot: it was asked for, or a snapshot has it
 */
export function matchFrequency(
	vcpuFd: number,
	khz: number,
	refusal: 'CPU_COUNTER_FREQUENCY' | 'VCPU_COUNTER_FREQUENCY',
): void {
	const hostKhz = getTscKhz(vcpuFd);
	if (Math.abs(hostKhz - khz) <= hostKhz * tolerance) return;
	try {
		setTscKhz(vcpuFd, khz);
	} catch (cause) {
		throw vcpuError(refusal, {khz, hostKhz}, {cause});
	}
}

const counter = (vcpuFd: number): bigint => getMsrs(vcpuFd, [Msr.IA32_TIME_STAMP_COUNTER]).done[0]?.data ?? 0n;

const valueAt = KvmDeviceAttr.size;

/** The attribute's argument, with room for its value behind it. */
function offsetAttribute(value = 0n): ArgumentBuffer {
	const buffer = new ArgumentBuffer();
	const addr = BigInt(buffer.address + valueAt);
	buffer.with(KvmDeviceAttr, {group: VcpuTsc.CTRL, attr: BigInt(VcpuTsc.OFFSET), addr});
	buffer.view.setBigUint64(valueAt, value, true);
	return buffer;
}

function getOffset(vcpuFd: number): bigint | undefined {
	const buffer = offsetAttribute();
	if (ioctl(vcpuFd, ioctls.KVM_HAS_DEVICE_ATTR.request, buffer.address) !== 0) return undefined;
	kvmIoctl(vcpuFd, 'KVM_GET_DEVICE_ATTR', buffer, 'TSC offset');
	return buffer.view.getBigUint64(valueAt, true);
}

const setOffset = (vcpuFd: number, offset: bigint): void =>
	void kvmIoctl(vcpuFd, 'KVM_SET_DEVICE_ATTR', offsetAttribute(offset), 'TSC offset');
