// Entry of a thread whose processor executes in lockstep.
import {parentPort} from 'node:worker_threads';
import {leaveOwner, serveOwner} from '#support/rpc';
import type {CpuBackend} from '#vcpu-worker/hypervisor';
import {software} from '#vcpu-worker/software/back-end';
import {Lockstep, type LockstepCounters} from '#vcpu-worker/software/lockstep';
import {Processor} from '#vcpu-worker/software/system';
import {VcpuWorker, type VcpuWorkerData} from '#vcpu-worker/worker';

/** What the comparison has come to. */
export interface LockstepReport extends LockstepCounters {
	readonly descriptions: readonly string[];
	readonly instructions: number;
}

/** A vCPU's thread on the software processor, whose blocks all run by the interpreter and by their translation. */
class LockstepVcpu extends VcpuWorker {
	#processor: Processor | undefined;

	override create(data: VcpuWorkerData): Promise<void> {
		const backEnd = {
			...software,
			enter: async (...args: Parameters<typeof software.enter>): Promise<CpuBackend> => {
				const cpu = await software.enter(...args);
				if (!('processor' in cpu && cpu.processor instanceof Processor))
					throw new TypeError('this is another processor');
				const {processor} = cpu;
				processor.lockstep = new Lockstep(processor.core, processor.mmu);
				this.#processor = processor;
				return cpu;
			},
		};
		return super.create({...data, partition: {...data.partition, backEnd}});
	}

	/** The last that it says is what it has compared. */
	override dispose(): Promise<void> {
		const {lockstep, core} = this.#processor ?? {};
		if (lockstep !== undefined) {
			const {counters, descriptions} = lockstep;
			const compared: LockstepReport = {...counters, descriptions, instructions: Number(core?.state.instructions)};
			parentPort?.postMessage({compared});
		}
		return super.dispose();
	}
}

serveOwner(new LockstepVcpu(leaveOwner));
