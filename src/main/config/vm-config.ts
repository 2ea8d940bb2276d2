import type {DeviceHandle} from '#devices/device-type';
import type {DeviceFailurePolicy} from '#devices/machine';
import type {SmtOption, X2ApicOption} from '#main/topology';
import type {HypervisorOption} from '#vcpu-worker/back-ends';
import type {CpuChoice} from '#vcpu-worker/cpuid';
import type {MemoryConfig} from './memory-config.ts';
import type {NumaConfig} from './numa-config.ts';
import type {PcieConfig} from './pcie-config.ts';

/** The machine's processors, as asked for. */
export interface ProcessorConfig {
	/** Virtual processors, 1–1024. */
	readonly count: number;
	/** Processors that fill one socket. Without it all share one socket. */
	readonly vpsPerSocket?: number;
	/** Decides whether two processors share a core. */
	readonly smt: SmtOption;
	readonly x2apic: X2ApicOption;
	/** Added to every APIC id, to test guests whose APIC ids are not their processor numbers. */
	readonly apicIdOffset: number;
}

/** The mode in which a flat image starts: as a boot sector, or in 64-bit mode as Linux does. */
export type FlatMode = 'real' | 'long';

/** Guest that the machine starts. */
export type BootConfig =
	/** The guest that comes with the package: no file needed. */
	| {
			readonly kind: 'embedded';
			/** Words for the guest; see the guide. */
			readonly commandLine: readonly string[];
	  }
	/** A kernel file whose format is recognised: bzImage, vmlinux, PVH ELF, multiboot 1. */
	| {
			readonly kind: 'linux';
			/** Path of the kernel. */
			readonly kernel: string;
			/** Path of the initial RAM disk. Multiboot and PVH kernels get modules instead, see {@link moduleFiles}. */
			readonly initrd?: string;
			/**
			 * Joined by spaces. Linux gets {@link linuxDefaultWords} in front of it, multiboot and PVH kernels the name of
			 * the kernel's file.
			 */
			readonly commandLine: readonly string[];
			/** `false`: a Linux kernel gets the words of {@link commandLine} alone. */
			readonly defaultWords?: boolean;
	  }
	/** Nothing: a machine that is restored from a snapshot, and cannot be reset. */
	| {readonly kind: 'none'}
	/** A file copied to an address and entered at its first byte. */
	| {readonly kind: 'flat'; readonly image: string; readonly address: number; readonly mode: FlatMode};

/**
 * An answer to a guest's own end: start it again, keep the stopped machine for inspection, or end the
 * process with this status (0–255).
 */
export type GuestAction = 'reset' | 'halt' | {readonly exit: number};

/** The answer to each way in which a guest can end. */
export interface GuestActions {
	/** The guest asked for a reset. */
	readonly reset: GuestAction;
	/** The guest powered off or hibernated. */
	readonly shutdown: GuestAction;
	/** The guest triple-faulted, or reported a panic. */
	readonly crash: GuestAction;
	/** The guest's watchdog fired. */
	readonly watchdog: GuestAction;
	/** All processors have halted with interrupts off. `none`: it is said, and the guest stays as it is. */
	readonly halt: GuestAction | 'none';
}

/** The emulator of the interrupt controllers: the hypervisor, or this process with the hypervisor's local APICs. */
export type IrqchipOption = 'kernel' | 'split';

/**
 * One virtual machine, as plain data: it survives structured clone and JSON. Every flag that shapes the
 * machine has a field here. {@link vmConfig} fills in defaults, {@link checkConfig} says what is wrong.
 */
export interface VmConfig {
	readonly processors: ProcessorConfig;
	/**
	 * What the processors have. In a machine that goes on from a snapshot they have what its guest was shown: there it is what
	 * they may have at most.
	 */
	readonly cpu: CpuChoice;
	/** With {@link numa} only its size counts, which is that of all nodes. */
	readonly memory: MemoryConfig;
	/** NUMA nodes, which the machine's tables tell of. */
	readonly numa?: NumaConfig;
	readonly boot: BootConfig;
	/** The back end that runs the guest; `auto`: the first that works on the host. */
	readonly hypervisor: HypervisorOption;
	readonly irqchip: IrqchipOption;
	/** All devices but those that every machine has, and the ports of {@link pcie}. */
	readonly devices: readonly DeviceHandle[];
	readonly guestActions: GuestActions;
	/** A device whose code fails ends the machine, or itself alone. */
	readonly deviceFailure: DeviceFailurePolicy;
	/**
	 * So many times in a row the guest may start again within a minute of its power-on; then the machine ends. 0: any number.
	 */
	readonly guestResetLimit: number;
	/** Build everything and wait for `resume` before the first instruction. */
	readonly paused: boolean;
	/** File for the core dump of a guest that crashes, or starts again too often. */
	readonly crashDumpPath?: string;
	readonly pcie?: PcieConfig;
}
