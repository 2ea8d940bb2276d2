import type {DeviceHandle} from '#devices/device-type';
import type {BootConfig, ClockPolicy, VmOptions} from '#main/config';
import type {KernelRequest} from '#main/guest-kernel';
import type {ImageRequest} from '#main/oci';
import type {PackagesRequest} from '#main/package-root';
import type {CreateOptions, HostOptions, Vm} from '#main/vm';
import type {OperationSignal} from '#support/abort';
import type {DiskChoice} from './disks.ts';
import type {ConsoleListener, GuestConsole} from './guest-console.ts';
import type {NetworkChoice} from './network.ts';
import type {SharedFolders} from './shared-folders.ts';

/** Parts of the work of making a machine ready, in their order. */
export type VmStep = 'image' | 'kernel' | 'machine' | 'boot' | 'files' | 'ready';

/** Resources that a machine runs on, in tests of ours. */
export interface RunOn {
	readonly host?: HostOptions;
}

/** A machine that does not come up, before it ends. */
export interface UnreadyMachine {
	readonly name: string;
	readonly machine: Vm;
	readonly console: GuestConsole;
}

/** Resources that forks run on, by their numbers. */
export interface ForksRunOn {
	readonly hostOf?: (index: number) => HostOptions;
}

/** What a program says of a machine, whether it begins or goes on from a snapshot. */
export interface HostChoices {
	/** Name in messages, of the guest's host, and in its network; `vm-` and six hexadecimal digits if not given. Lower-case letters, digits and dashes. */
	readonly name?: string;
	/** Told of what the guest writes to its console, as it comes. */
	readonly log?: ConsoleListener;
	/** Told of what happens to its devices, and of what its network has decided: see {@link CreateOptions.deviceNoticed}. */
	readonly deviceNoticed?: CreateOptions['deviceNoticed'];
	/** Gives up making it. Nothing is left behind. */
	readonly signal?: OperationSignal;
	/** Milliseconds until the guest has to answer, 300 000 if not given: then making it fails with VM_START_TIMEOUT. */
	readonly startTimeout?: number;
	/**
	 * Told of each step of the work, and how far it is, in bytes where it has any.
	 * @param total - 0 where nobody knows it
	 * @param part - of the steps `image` and `kernel`: `download` or `unpack`, say, each of which counts for itself
	 */
	readonly progress?: (step: VmStep, done: number, total: number, part?: string) => void;
	/** The network: one by the host's sockets if not given, `false` for none. A machine that goes on from a snapshot has one where it had one, if not given. */
	readonly network?: NetworkChoice;
	/**
	 * What the guest's root is made of: a disk, a folder, an archive, or a reference on a registry: `debian:12`, `./disk.qcow2`, `folder:/srv/root`.
	 * Or of Debian's packages: `{packages: ['curl']}`.
	 * It stays as it is unless `writable` says otherwise. Without it the guest has what is in its initial file system.
	 */
	readonly image?: string | ImageRequest | PackagesRequest;
	/** Lets the guest change the disk that `image` names, or the folder that it shares. Otherwise what it writes stays in RAM: of the host, or with a folder of the guest. */
	readonly writable?: boolean;
	/**
	 * Our agent in the guest. `vsock`, which is the same as `true`: by virtio sockets, at its usual port. `console`: by a port of a virtio console, for
	 * a kernel without virtio sockets. `false`: there is none, and a guest that is ready as soon as it runs has a console alone.
	 * With `boot` the guest's own init starts the agent, as guide/agent.md says, and there is none if nothing is said.
	 */
	readonly agent?: boolean | 'vsock' | 'console';
	/** Disks beside the root's, in the order in which the guest has them: `/dev/vdb` is the first, or `/dev/vda` where no disk is the root. */
	readonly disks?: readonly DiskChoice[];
	/** Folders in the guest by the absolute path where they are mounted (virtio-fs): directories of the host, or objects of the program's. */
	readonly folders?: SharedFolders;
	/** Further devices. */
	readonly devices?: readonly DeviceHandle[];
	/** What else a machine's configuration has. */
	readonly machine?: Omit<VmOptions, 'boot' | 'devices' | 'paused'>;
	/** @internal What it runs on. */
	readonly host?: RunOn['host'];
	/** @internal Called with a machine that does not come up, and why, before it ends. */
	readonly unready?: (machine: UnreadyMachine, error: unknown) => Promise<void>;
}

/** A machine to be made. All has defaults that run. */
export interface CreateVmOptions extends HostChoices {
	/** Where in the guest its root is: `/dev/vda` if not given, all of the disk. */
	readonly root?: string;
	/** File of a Linux kernel, or how one is to be had; Debian's if not given, which is fetched once. */
	readonly kernel?: string | KernelRequest;
	/** A file with an initial file system of one's own, to which the guest agent's is added. */
	readonly initrd?: string;
	/** Words for the kernel, behind those that a machine of this kind has. */
	readonly commandLine?: readonly string[];
	/** Bytes, or text such as `512M` or `2G`; 1 GiB if not given. It is taken from the host as it is used. */
	readonly memory?: number | string;
	/** Number of processors; 1 if not given. */
	readonly processors?: number;
	/** Files that the guest gets before it is ready: contents by absolute path. */
	readonly files?: Readonly<Record<string, Uint8Array | string>>;
	/** What is booted, in place of a kernel with our initial file system: it has our agent where {@link agent} says so. */
	readonly boot?: BootConfig;
}

/** A machine that goes on from a snapshot. What was its host's is given again: its image, above all. */
export interface RestoreVmOptions extends HostChoices {
	/** Policy of the guest's clocks; `catch-up` if not given. */
	readonly clock?: ClockPolicy;
}

/** Machines that go on from where another one is. */
export interface ForkOptions extends Pick<HostChoices, 'signal' | 'startTimeout' | 'log' | 'deviceNoticed'> {
	/** The network of each, by its number from 0, or of all of them; that of the forked one if not given. A port of the host's (`hostForwards`) and a file (`capture`, `decisions`) are one machine's: give each others. */
	readonly network?: NetworkChoice | ((index: number) => NetworkChoice);
	/** The name of each, by its number from 0: the forked one's with `-1`, `-2` … behind, if not given. */
	readonly name?: (index: number) => string;
	/** @internal What each runs on. */
	readonly hostOf?: ForksRunOn['hostOf'];
}
