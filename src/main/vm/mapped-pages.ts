import type {AttachedMachine} from '#devices/machine';
import {savedPartsOf} from '#main/snapshot';
import type {VmmError} from '#support/errors';
import {addressOf} from '#support/ffi';
import {type MemoryWatch, watchMemory} from '#support/memory-watch';

type Device = AttachedMachine['devices'][number];

const pageBytes = 4096;
const cause = 'the host has no page for its memory any more: the file has been cut, or cannot be read or written';

/**
 * Notices that the host has no page to put under what devices have mapped as memory of BARs, or under what their disks have in memory, which
 * may be a snapshot's. The device has failed then, which ends its machine where devices do; the process and its other machines go on.
 */
export class MappedPages implements Disposable {
	/** Resolves soon after that, where it ends the machine. */
	readonly lost: Promise<VmmError>;
	readonly #watches = new Map<Device, MemoryWatch>();
	readonly #lose: (error: VmmError) => void;
	#isOver = false;

	constructor(devices: readonly Device[]) {
		const {promise, resolve} = Promise.withResolvers<VmmError>();
		this.lost = promise;
		this.#lose = resolve;
		this.follow(devices);
	}

	/** Watches over these devices' memory, and no other; over none any more when the machine is. */
	follow(devices: readonly Device[]): void {
		if (this.#isOver) return;
		for (const [device, watch] of this.#watches) {
			if (devices.includes(device)) continue;
			watch[Symbol.dispose]();
			this.#watches.delete(device);
		}
		for (const device of devices) if (!this.#watches.has(device)) this.#watch(device);
	}

	[Symbol.dispose](): void {
		this.follow([]);
		this.#isOver = true;
	}

	#watch(device: Device): void {
		const {pages, faults} = device;
		const memories = pages
			.map(({placed}) => placed)
			.filter(({isMapped}) => isMapped)
			.map(({pages: {memory, length}}) => ({hostAddress: Number(addressOf(memory.buffer)), length, pageBytes}))
			.concat(savedPartsOf(device).map(({hostAddress, length}) => ({hostAddress, length, pageBytes})));
		if (memories.length === 0) return;
		const failed = () => {
			const error = faults.record('its memory', new Error(cause));
			if (faults.policy === 'machine') this.#lose(error);
		};
		this.#watches.set(device, watchMemory(memories, failed));
	}
}
