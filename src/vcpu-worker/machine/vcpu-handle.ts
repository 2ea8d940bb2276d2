import {type ControlMemory, controlBytes, VcpuKick} from '#vcpu-worker/kvm';
import {VcpuControl, type VcpuControlPlace} from '#vcpu-worker/protocol';

/** Where other threads reach a vCPU. */
export interface VcpuHandle {
	/** Where `kvm_run` gets mapped. */
	readonly run: ControlMemory;
	readonly control: VcpuControlPlace;
}

/** Makes the vCPU's thread go round its run loop once. Before that thread is ready, its first round will do. */
export function kicker({run, control}: VcpuHandle): () => void {
	const bytes = controlBytes(run);
	const words = VcpuControl.on(control.buffer, control.byteOffset);
	let kick: VcpuKick | undefined;
	return () => {
		if (kick === undefined && words.tid !== 0) kick = new VcpuKick(bytes, words.tid);
		kick?.kick();
	};
}
