import type {DeviceInstance} from '#devices/device';
import type {MemoryRange} from '#devices/guest-memory';
import {type DeviceFailurePolicy, layOutMachine, type MachineLayout, workersFor} from '#devices/machine';
import type {RootComplexConfig} from '#devices/pci/root-complex';
import type {LoadedTypes} from '#devices/registry';
import type {VmConfig} from '#main/config';
import {type DescribedDevices, describeDevices, type MachineBirth, randomGenerationId} from '#main/machine';
import {describePcie} from '#main/pcie';
import {mailboxBytes, type WakerHandle, WakerState} from '#support/mailbox';
import {processMemories} from './process-memories.ts';

/** The modules of a user's own devices, loaded on this thread. */
export interface OwnDevices {
	readonly modules: readonly string[];
	readonly models: LoadedTypes;
}

/** Places of memory and root complexes in the machine. */
export interface WiredPlaces {
	readonly ram: readonly MemoryRange[];
	readonly complexes: readonly RootComplexConfig[];
}

/** Lists all devices that a machine begins with. */
export function describeMachine(
	config: VmConfig,
	{ram, complexes}: WiredPlaces,
	birth: Omit<MachineBirth, 'generationId'>,
	types: LoadedTypes,
): DescribedDevices {
	const {devices, facts} = describeDevices(config, ram, {...birth, generationId: randomGenerationId()}, types);
	return {devices: [...devices, ...describePcie(config.pcie, complexes)], facts};
}

/**
 * Lays the machine's devices out in shared memory.
 * @param openWakeFd - makes an eventfd, for the waker of each of the machine's device workers
 */
export function wireMachine(
	devices: readonly DeviceInstance[],
	vcpus: number,
	openWakeFd: () => number,
	{modules, models}: OwnDevices,
	deviceFailure: DeviceFailurePolicy,
): MachineLayout {
	const wakers = Array.from({length: workersFor(devices, models.findModel)}, () => {
		return {buffer: new SharedArrayBuffer(WakerState.byteLength), wakeFd: openWakeFd()};
	});
	const [waker] = wakers as [WakerHandle];
	const mailbox = {buffer: new SharedArrayBuffer(mailboxBytes(vcpus)), callers: vcpus, waker};
	return layOutMachine(devices, models.findModel, {
		modules,
		wakers,
		mailbox,
		deviceFailure,
		commonMemories: processMemories,
	});
}
