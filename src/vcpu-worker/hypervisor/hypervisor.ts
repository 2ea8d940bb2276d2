import type {VmmError} from '#support/errors';
import type {Finding} from './finding.ts';
import type {Partition} from './partition.ts';

/** The host's files, as findings are drawn from them. */
export interface HostEvidence {
	/** A file's text without the space around it, or undefined where it is missing or closed to us. */
	read(path: string): string | undefined;
}

/** A machine's wishes for its partition. */
export interface PartitionSpec {
	/** The owner of PIC, I/O APIC and PIT: the back end, or the machine, as devices. Local APICs are the back end's. */
	readonly irqchip: 'kernel' | 'split';
	/** Processors that the machine will have. */
	readonly processors: number;
	/** Does work of the back end's own on another thread, by its name there. Without it the back end does that itself, on each thread that wants it. */
	readonly compute?: Compute;
	/** Has what the back end makes of guest code compared with an interpreter, as it runs, and is told what differs. For one processor. */
	readonly lockstep?: (difference: CodeDifference) => void;
}

/** Guest code that does not do the same when it is translated and when it is interpreted. */
export interface CodeDifference {
	/** Linear address of the first instruction. */
	readonly address: bigint;
	/** Instructions from there to the first end that differs. */
	readonly executed: number;
	/** The code there, the translations that were entered, and what is not alike. */
	readonly text: string;
}

/** Does a job, which is plain data as its result is, on a thread that the whole process has for such. */
export type Compute = (name: 'makeTranslations', job: unknown) => Promise<unknown>;

/**
 * Runs guests on this host. The machine's owner makes a {@link Partition} of it; the threads of the machine reach that
 * one through its handle (see `BackEnd`).
 */
export interface Hypervisor {
	/** Tells back ends apart, in handles and in snapshots. */
	readonly kind: string;
	/** Tells a person what this host has for it. Never throws. */
	examine(evidence: HostEvidence): Finding[];
	/**
	 * Says why no guest can run with it here; undefined when nothing is known that hinders one. For a choice before every start:
	 * it takes microseconds, and leaves to {@link create} what takes longer to find out.
	 */
	refusal(): VmmError | undefined;
	/** Says why another one is better here, although some guests run with it; undefined where it is as good as it can be. */
	drawback?(): string | undefined;
	/** @throws VmmError for whatever the host cannot give; nothing is left behind */
	create(spec: PartitionSpec): Partition;
}
