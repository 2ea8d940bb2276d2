import type {AccessSize, Halves} from '#devices/device';
import type {Vtl} from '#devices/processor';
import type {ErrorData} from '#support/errors';
import type {DebugStop} from '#vcpu-worker/debug';
import type {ExitKind, VcpuWiring} from '#vcpu-worker/hypervisor';

/** A processor as its guest has it. */
export interface GuestSide {
	/** Reads RAM, without the devices' knowledge; undefined where there is none. */
	load(gpa: number, size: AccessSize): number | undefined;
	/** Writes RAM; false where there is none. */
	store(gpa: number, size: AccessSize, value: number): boolean;
	readonly levels: {
		/** The exit of an access that the level may not make. */
		intercepted(gpa: number, size: AccessSize, access: 'read' | 'write'): ExitStep | undefined;
	};
	/** CPUID's answer in EAX, 0 for a leaf that is not there. */
	cpuid(leaf: number): number;
	interruptsOn: boolean;
	/** The vector of the interrupt that the processor takes now, if there is one. */
	takeInterrupt(): number | undefined;
	/** Another processor has sent INIT and a start-up message since power-on. */
	readonly isStarted: boolean;
	/** Sends both to the processor with this APIC id, which begins its script anew. */
	startOther(apicId: number): void;
	/** Ends the park, if there is one, so that the guest looks again whether it can go on. */
	wake(): void;
}

/** The run ends; what serving the exit gives is the step's answer. */
export interface ExitStep {
	readonly exit: ExitKind;
	readonly serve?: (wiring: VcpuWiring) => number;
	/**
	 * The step is done again when its trust level goes on, unless RIP has been changed: then its answer is EAX, since somebody has done it
	 * for the guest.
	 */
	readonly repeats?: true;
	/** Exits of completing this one before it is complete, one part after another. */
	readonly parts?: Iterable<ExitKind>;
	/** Stop that the debugger is told of, after `debug`; an exception of the guest's own without. */
	readonly stop?: DebugStop;
	/** The error, after `failed`. */
	readonly error?: ErrorData;
}

/** Done without an exit, unless it turns out to need one. */
export interface InsideStep {
	inside(cpu: GuestSide): number | ExitStep;
}

/** The processor parks until there is an answer. It looks again whenever it is kicked or woken. */
export interface WaitStep {
	/** State in which the processor waits, where it is not somewhere in the script. */
	readonly activity?: 'halted' | 'uninitialized';
	answer(cpu: GuestSide): number | undefined;
}

/** Next step of a guest. */
export type GuestStep = ExitStep | InsideStep | WaitStep;

/** A script under way: it gets the answer to each of its steps. */
export type Guest = Generator<GuestStep, void, number>;

/**
 * A guest, as one processor executes it. What it does must follow from the answers alone: a processor that is restored comes to
 * its place by being given the same answers again.
 *
 * @param vtl - the trust level; each has a script
 */
export type GuestScript = (vcpu: number, vtl: Vtl) => Guest;

export const readPort = (port: number, size: AccessSize): GuestStep => ({
	exit: 'port',
	serve: ({bus}) => bus.readPort(port, size),
});

export const writePort = (port: number, size: AccessSize, value: number): GuestStep => ({
	exit: 'port',
	serve({bus}) {
		bus.writePort(port, size, value);
		return 0;
	},
});

/** Reads memory: an exit only where there is no RAM. */
export const load = (gpa: number, size: AccessSize): GuestStep => ({
	inside: (cpu) =>
		cpu.levels.intercepted(gpa, size, 'read') ??
		cpu.load(gpa, size) ?? {exit: 'mmio', serve: ({bus}) => bus.readMmio(gpa, size)},
});

/** Writes memory: an exit only where there is no RAM. */
export const store = (gpa: number, size: AccessSize, value: number): GuestStep => ({
	inside: (cpu) =>
		cpu.levels.intercepted(gpa, size, 'write') ?? (cpu.store(gpa, size, value) ? 0 : storeOutside(gpa, size, value)),
});

const storeOutside = (gpa: number, size: AccessSize, value: number): ExitStep => ({
	exit: 'mmio',
	serve({bus}) {
		bus.writeMmio(gpa, size, value);
		return 0;
	},
});

/** Answer of {@link rdmsr} and {@link wrmsr} where the instruction faults. */
export const faulted = -1;

/** RDMSR of a register that is not the back end's, up to 53 bits of it. */
export const rdmsr = (msr: number): GuestStep => ({
	exit: 'msr',
	serve({msrs}) {
		const value: Halves = {low: 0, high: 0};
		return msrs.read(msr, value) ? value.high * 2 ** 32 + value.low : faulted;
	},
});

export const wrmsr = (msr: number, {low, high}: Halves): GuestStep => ({
	exit: 'msr',
	serve: ({msrs}) => (msrs.write(msr, {low, high}) ? 0 : faulted),
});

/** VMCALL of Hyper-V: the answer is the status. */
export const hypercall = (control: Halves, input: Halves, output: Halves = {low: 0, high: 0}): GuestStep => ({
	exit: 'hypercall',
	serve({hypercalls}) {
		const result = {low: 0, high: 0};
		hypercalls.call({control, input, output, result});
		return result.low;
	},
});

/** CPUID: the answer is EAX. */
export const cpuid = (leaf: number): GuestStep => ({inside: (cpu) => cpu.cpuid(leaf)});

/** HLT: the answer is the vector of the interrupt that ends it. */
export const halt = (): GuestStep => ({activity: 'halted', answer: (cpu) => cpu.takeInterrupt()});

/** First step of a processor that is not the boot processor: it waits for {@link startProcessor}. */
export const untilStarted: GuestStep = {activity: 'uninitialized', answer: (cpu) => (cpu.isStarted ? 0 : undefined)};

/** INIT and a start-up message to the processor with this APIC id. */
export const startProcessor = (apicId: number): GuestStep => ({
	inside(cpu) {
		cpu.startOther(apicId);
		return 0;
	},
});

/** The interrupt with this vector has ended, for an I/O APIC outside the back end. */
export const endOfInterrupt = (vector: number): GuestStep => ({
	exit: 'eoi',
	serve(wiring) {
		wiring.endOfInterrupt(vector);
		return 0;
	},
});

/** STI or CLI. */
export const interruptsOn = (on: boolean): GuestStep => ({
	inside(cpu) {
		cpu.interruptsOn = on;
		return 0;
	},
});

/** PAUSE, in a loop that waits for another processor: everybody else gets a turn. */
export function relax(): GuestStep {
	let hadTurn = false;
	return {
		answer(cpu) {
			if (hadTurn) return 0;
			hadTurn = true;
			setImmediate(() => cpu.wake());
			return undefined;
		},
	};
}

/** A place in scripts where the test takes over. */
export class Gate {
	readonly #reached = Promise.withResolvers<void>();
	readonly #waiting = new Set<GuestSide>();
	#isOpen = false;

	/** Resolves when a processor has come here. */
	get reached(): Promise<void> {
		return this.#reached.promise;
	}

	/** Lets through who waits here, and who comes. */
	open(): void {
		this.#isOpen = true;
		for (const cpu of this.#waiting) cpu.wake();
	}

	/** Waits here until it is opened. */
	readonly pass: GuestStep = {
		answer: (cpu) => {
			this.#waiting.add(cpu);
			this.#reached.resolve();
			return this.#isOpen ? 0 : undefined;
		},
	};
}
