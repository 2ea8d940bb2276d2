import {isVmmError} from '#support/errors';
import {close} from '#support/ffi';
import type {AttachedPartition, BackEnd, Hypervisor} from '#vcpu-worker/hypervisor';
import {kvmKind} from './capabilities.ts';
import {devicePages} from './device-pages.ts';
import {doorbells} from './doorbells.ts';
import {enter} from './enter.ts';
import {kvmFindings} from './findings.ts';
import {controlMemory, type KvmPartitionHandle, type KvmVcpuHandle} from './handles.ts';
import {interruptController} from './interrupt-controller.ts';
import {VcpuKick} from './kick.ts';
import {KvmPartition} from './kvm-partition.ts';
import {openKvm} from './system.ts';
import {controlBytes} from './vcpu.ts';

/** Linux KVM: the hypervisor, and the back end of its partitions. The handles are those that it has given. */
export const kvm: Hypervisor & BackEnd = {
	kind: 'kvm',
	examine: (evidence) => kvmFindings(evidence),
	refusal() {
		try {
			close(openKvm());
			return undefined;
		} catch (error) {
			if (isVmmError(error)) return error;
			throw error;
		}
	},
	drawback: () =>
		kvmKind() === 'pvm' ? "KVM is kvm_pvm here, on which a distribution's Linux does not get through boot" : undefined,
	create: (spec) => KvmPartition.create(spec),
	attach: (handle) => attach(handle as KvmPartitionHandle),
	enter: (handle, vcpu, wiring) => enter(handle as KvmPartitionHandle, vcpu as KvmVcpuHandle, wiring),
};

/** See `BackEnd.attach`. */
function attach(handle: KvmPartitionHandle): AttachedPartition {
	const tids = new Int32Array(handle.tids);
	const kicks: VcpuKick[] = [];
	return {
		interrupts: interruptController(handle),
		doorbells: doorbells(handle.vmFd),
		pages: devicePages(handle.vmFd, handle.memorySlots),
		kick(vcpu) {
			const tid = Atomics.load(tids, vcpu);
			if (tid === 0) return;
			kicks[vcpu] ??= new VcpuKick(controlBytes(controlMemory(handle, vcpu)), tid);
			kicks[vcpu].kick();
		},
	};
}
