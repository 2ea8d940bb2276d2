import type {DeviceModuleConfig} from '#main/config';
import type {StartOptions, VmEnd, VmState} from '#main/vm';
import type {InspectOptions, InspectResult} from '#support/inspect';

/** What the command line needs of a machine. */
export interface Machine {
	readonly state: VmState;
	/** Settles when the machine is over for good. */
	readonly ended: Promise<VmEnd>;
	pause(): Promise<void>;
	resume(options?: StartOptions): Promise<void>;
	reset(): Promise<void>;
	nmi(): Promise<void>;
	powerButton(): Promise<void>;
	addPcieDevice(port: string, device: DeviceModuleConfig): Promise<string>;
	removePcieDevice(port: string): Promise<void>;
	/** Writes processors and memory to a core file. */
	dumpCore(path: string, progress?: (doneBytes: number, totalBytes: number) => void): Promise<void>;
	saveSnapshot(directory: string, progress?: (doneBytes: number, totalBytes: number) => void): Promise<void>;
	/** Idempotent, from every state. */
	stop(): Promise<void>;
	/** Offers input to the port that has the console; resolves with how many bytes were taken. */
	feedConsole(bytes: Uint8Array): Promise<number>;
	/** A part of what there is to see. */
	inspect(path: string, options?: InspectOptions): Promise<InspectResult>;
	/** Changes a writable part of it. */
	update(path: string, text: string): Promise<InspectResult>;
}
