import type {AttachedPartition} from '#vcpu-worker/hypervisor';
import {doorbells} from './doorbells.ts';
import {controlMemory, type KvmPartitionHandle} from './handles.ts';
import {interruptController} from './interrupt-controller.ts';
import {VcpuKick} from './kick.ts';
import {controlBytes} from './vcpu.ts';

/** See `BackEnd.attach`. */
export function attach(handle: KvmPartitionHandle): AttachedPartition {
	const tids = new Int32Array(handle.tids);
	const kicks: VcpuKick[] = [];
	return {
		interrupts: interruptController(handle),
		doorbells: doorbells(handle.vmFd),
		kick(vcpu) {
			const tid = Atomics.load(tids, vcpu);
			if (tid === 0) return;
			kicks[vcpu] ??= new VcpuKick(controlBytes(controlMemory(handle, vcpu)), tid);
			kicks[vcpu].kick();
		},
	};
}
