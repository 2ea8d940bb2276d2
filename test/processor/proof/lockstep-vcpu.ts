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

/** The thread's messages: now and then how far it is, and at its end what it has compared. */
export type LockstepMessage = {readonly told: string} | {readonly compared: LockstepReport};

const tellMs = 5000;
/** Runs between two looks at the clock. */
const looks = 4096;

class TellingLockstep extends Lockstep {
	readonly #processor: Processor;
	#runs = 0;
	#told = performance.now();

	constructor(processor: Processor) {
		super(processor.core, processor.mmu);
		this.#processor = processor;
	}

	override run(record: number): number {
		if (++this.#runs % looks === 0 && performance.now() - this.#told > tellMs) {
			this.#told = performance.now();
			const {instructions} = this.#processor.core.state;
			post({
				told: `${instructions} instructions, ${this.counters.blocks} blocks, ${this.counters.differences} differences`,
			});
		}
		return super.run(record);
	}
}

const post = (message: LockstepMessage): void => parentPort?.postMessage(message);

/** A vCPU's thread on the software processor, whose blocks run by the interpreter and by their translation. */
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
				processor.lockstep = new TellingLockstep(processor);
				this.#processor = processor;
				return cpu;
			},
		};
		return super.create({...data, partition: {...data.partition, backEnd}});
	}

	override dispose(): Promise<void> {
		const {lockstep, core} = this.#processor ?? {};
		if (lockstep !== undefined && core !== undefined) {
			const {counters, descriptions} = lockstep;
			post({compared: {...counters, descriptions, instructions: Number(core.state.instructions)}});
		}
		return super.dispose();
	}
}

serveOwner(new LockstepVcpu(leaveOwner));
