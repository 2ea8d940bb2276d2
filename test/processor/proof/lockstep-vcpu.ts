// Entry of a thread whose processor executes in lockstep.
import {leaveOwner, serveOwner} from '#support/rpc';
import type {CpuBackend} from '#vcpu-worker/hypervisor';
import {software} from '#vcpu-worker/software/back-end';
import {Lockstep, type LockstepCounters} from '#vcpu-worker/software/lockstep';
import type {Processor} from '#vcpu-worker/software/system';
import {VcpuWorker, type VcpuWorkerData} from '#vcpu-worker/worker';

/** What the comparison has come to. */
export interface LockstepReport extends LockstepCounters {
	readonly descriptions: readonly string[];
	readonly instructions: number;
}

/** A vCPU's thread on the software processor, whose blocks all run by the interpreter and by their translation. */
export class LockstepVcpu extends VcpuWorker {
	#processor: Processor | undefined;

	override create(data: VcpuWorkerData): Promise<void> {
		const backEnd = {
			...software,
			enter: (...args: Parameters<typeof software.enter>): CpuBackend => {
				const cpu = software.enter(...args) as CpuBackend & {readonly processor: Processor};
				const {processor} = cpu;
				processor.lockstep = new Lockstep(processor.core, processor.mmu);
				this.#processor = processor;
				return cpu;
			},
		};
		return super.create({...data, partition: {...data.partition, backEnd}});
	}

	/** Call when the guest has ended. */
	compared(): LockstepReport {
		const {lockstep, core} = this.#processor ?? {};
		if (lockstep === undefined) throw new TypeError('there is no processor');
		const {counters, descriptions} = lockstep;
		return {...counters, descriptions, instructions: Number(core?.state.instructions)};
	}
}

serveOwner(new LockstepVcpu(leaveOwner));
