import type {GuestMemory} from '#devices/guest-memory';
import type {AttachedMachine, MachineEvents, SavedDevices} from '#devices/machine';
import {type BootImage, writeBootImage} from '#main/loader';
import type {StateUnit} from '#support/state-units';
import type {DeviceThreads} from '../device-threads.ts';
import type {HaltWatch} from '../halt-watch.ts';
import type {VcpuGroup} from '../vcpu-group.ts';

/** Every device: its shared state, and what the device worker has of it. */
export const devicesUnit = (machine: AttachedMachine, backs: DeviceThreads): StateUnit => ({
	name: 'devices',
	needs: ['time'],
	// Work that the guest gives to a device before its back end has started waits in the shared state.
	start: () => backs.start(),
	stop: () => backs.stop(),
	async reset() {
		machine.reset();
		if (machine.hasOwned) await backs.reset();
	},
	save: async () => machine.save(machine.hasOwned ? await backs.save() : []),
	async restore(saved) {
		const owned = machine.restore(saved as SavedDevices);
		if (owned.length > 0) await backs.restore(owned);
	},
});

/** Saves the events that the guest has asked the machine for and not been given yet. Earlier programs did not save it. */
export const eventsUnit = (events: MachineEvents): StateUnit => ({
	name: 'events',
	needs: [],
	optional: true,
	reset: () => events.clear(),
	save: () => events.save(),
	restore: (saved) => events.restore(saved),
});

/** Guest RAM. Its contents are too much to be data of a unit: snapshots carry them beside the units. */
export const memoryUnit = (memory: GuestMemory, bootImage: () => Promise<BootImage>): StateUnit => ({
	name: 'memory',
	needs: [],
	async reset() {
		// The image was checked against this machine's RAM when it was made.
		if (!(await writeBootImage(memory, await bootImage())))
			throw new TypeError('the boot image does not fit this machine');
	},
});

/** The processors, which need everything that the guest can reach. */
export const vcpusUnit = (
	vcpus: VcpuGroup,
	bootImage: () => Promise<BootImage>,
	needs: readonly string[],
): StateUnit => ({
	name: 'vcpus',
	needs,
	start: () => vcpus.start(),
	stop: () => vcpus.stop(),
	reset: async () => vcpus.reset((await bootImage()).entry),
	save: () => vcpus.save(),
	restore: (saved) => vcpus.restore(saved),
});

/** Watches the processors while they run. */
export const haltWatchUnit = (watch: HaltWatch): StateUnit => ({
	name: 'halt-watch',
	needs: ['vcpus'],
	start: () => watch.start(),
	stop: () => watch.stop(),
	reset: () => watch.reset(),
});
