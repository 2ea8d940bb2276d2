import {isVmmError} from '#support/errors';
import {close} from '#support/ffi';
import type {BackEnd, Hypervisor} from '#vcpu-worker/hypervisor';
import {attach} from './attach.ts';
import {enter} from './enter.ts';
import {kvmFindings} from './findings.ts';
import type {KvmPartitionHandle, KvmVcpuHandle} from './handles.ts';
import {KvmPartition} from './kvm-partition.ts';
import {openKvm} from './system.ts';

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
	create: (spec) => KvmPartition.create(spec),
	attach: (handle) => attach(handle as KvmPartitionHandle),
	enter: (handle, vcpu, wiring) => enter(handle as KvmPartitionHandle, vcpu as KvmVcpuHandle, wiring),
};
