import {ArgumentBuffer} from './argument-buffer.ts';
import {kvmIoctl} from './ioctl.ts';
import type {IoctlName} from './ioctls.ts';
import {KvmMsrEntry, KvmMsrs} from './structs-vcpu.ts';

/** A model-specific register and its value. */
export interface Msr {
	readonly index: number;
	readonly data: bigint;
}

/** Outcome of a batch: what was read or written, and which MSRs the host refused. */
export interface MsrResult {
	readonly done: readonly Msr[];
	readonly failed: readonly number[];
}

/** The kernel takes fewer than 256 at once (`MAX_IO_MSRS`). */
const batchSize = 255;

/** Reads MSRs (KVM_GET_MSRS), in the order given. */
export const getMsrs = (vcpuFd: number, indexes: readonly number[]): MsrResult =>
	transfer(
		vcpuFd,
		'KVM_GET_MSRS',
		indexes.map((index) => ({index, data: 0n})),
	);

/** Writes MSRs (KVM_SET_MSRS), in the order given. */
export const setMsrs = (vcpuFd: number, msrs: readonly Msr[]): MsrResult => transfer(vcpuFd, 'KVM_SET_MSRS', msrs);

/** KVM stops at the first MSR it refuses and says how many it did; the rest is tried again without that one. */
function transfer(vcpuFd: number, name: IoctlName, msrs: readonly Msr[]): MsrResult {
	const done: Msr[] = [];
	const failed: number[] = [];
	const buffer = new ArgumentBuffer(KvmMsrs.size + Math.min(batchSize, msrs.length) * KvmMsrEntry.size);
	const entryAt = (position: number) => KvmMsrs.size + position * KvmMsrEntry.size;
	let next = 0;
	while (next < msrs.length) {
		const batch = msrs.slice(next, next + batchSize);
		buffer.with(KvmMsrs, {nmsrs: batch.length});
		for (const [position, msr] of batch.entries()) KvmMsrEntry.write(buffer.view, entryAt(position), msr);
		const count = kvmIoctl(vcpuFd, name, buffer, `${batch.length} MSRs`);
		for (let position = 0; position < count; position++) {
			done.push(KvmMsrEntry.read(buffer.view, entryAt(position)));
		}
		const refused = batch[count];
		if (refused !== undefined) failed.push(refused.index);
		next += refused === undefined ? count : count + 1;
	}
	return {done, failed};
}
