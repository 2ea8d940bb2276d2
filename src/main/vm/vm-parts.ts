import type {GuestMemory, WriteLog} from '#devices/guest-memory';
import type {AttachedMachine} from '#devices/machine';
import type {GuestActions, TerminalUser} from '#main/config';
import type {GuestRam} from '#main/memory';
import type {SnapshotSource} from '#main/snapshot';
import type {LongOperation} from '#support/abort';
import type {InspectNode} from '#support/inspect';
import type {SavedUnits, StateUnits} from '#support/state-units';
import type {DebugSupport} from '#vcpu-worker/debug';
import type {DebugControl} from './debug-control.ts';
import type {DeviceNotices} from './device-notices.ts';
import type {DeviceThreads} from './device-threads.ts';
import type {GuestSampler} from './guest-sampler.ts';
import type {HaltWatch} from './halt-watch.ts';
import type {HotPlug} from './hot-plug.ts';
import type {MappedPages} from './mapped-pages.ts';
import type {TimeUnit} from './units/index.ts';
import type {VcpuGroup} from './vcpu-group.ts';
import type {VmEnd, VmState} from './vm-end.ts';
import type {VmLimits} from './vm-limits.ts';

/** Hypervisor that runs a machine's guest. */
export interface RunsOn {
	/** As `VmConfig.hypervisor` has it. */
	readonly kind: string;
	/** Reason for this one, for a person. */
	readonly reason: string;
}

/** A guest as a snapshot has to do with it. */
export interface GuestToSave {
	readonly isRunning: () => boolean;
	/** Has it stand still while `write` does its work with what the units have saved. */
	readonly atRest: (write: (units: SavedUnits) => Promise<void>) => Promise<void>;
}

/** Makes a snapshot of a machine, in a folder or in memory. */
export type WriteSnapshot<T> = (source: SnapshotSource, asked: LongOperation) => Promise<T>;

/** Parts of a machine; see `createVm`. */
export interface VmParts {
	readonly machine: AttachedMachine;
	readonly hypervisor: RunsOn;
	/** One of {@link units}. */
	readonly time: TimeUnit;
	/** Everything that starts, stops and has state; the machine's life is theirs. */
	readonly units: StateUnits;
	readonly vcpus: VcpuGroup;
	readonly sampler: GuestSampler;
	readonly memory: GuestMemory;
	/** Records what is written to {@link memory}. */
	readonly writeLog: () => WriteLog;
	/** RAM under {@link memory}. */
	readonly ram: GuestRam;
	readonly mappedPages: Pick<MappedPages, 'lost'>;
	readonly debug: DebugControl;
	/** Gives the means that stop a guest here. */
	readonly debugSupport: () => DebugSupport;
	readonly devices: DeviceThreads;
	readonly notices: Pick<DeviceNotices, 'tell'>;
	readonly hotPlug: HotPlug;
	/** Has a snapshot made by `write`. */
	readonly save: <T>(write: WriteSnapshot<T>, guest: GuestToSave, asked: LongOperation) => Promise<T>;
	readonly actions: GuestActions;
	/** Reads what a reset starts. @throws VmmError when there is nothing, or something is wrong with it */
	readonly bootImage: () => Promise<unknown>;
	/** Resets that a guest may ask for in a row without getting anywhere; 0: any number. */
	readonly resetLimit: number;
	readonly limits: VmLimits;
	/** Notices a guest that can never go on. */
	readonly haltWatch: HaltWatch;
	/** Called then, once after each power-on. */
	readonly stuck: () => void;
	/** Device that gets console input. */
	readonly consoleDevice: TerminalUser | undefined;
	/** Called when the guest has crashed or started again too often: writes a core dump where one is wanted. Never rejects. */
	readonly crashDump: (write: (path: string) => Promise<void>) => Promise<void>;
	/** Called when the guest has ended and its action keeps the stopped machine. */
	readonly halted: (end: VmEnd) => void;
	/** Gives the inspect tree, given how to ask for the machine's state. */
	readonly tree: (state: () => VmState) => InspectNode;
	/** Releases host resources, after the threads have ended. */
	readonly release: () => void | Promise<void>;
}
