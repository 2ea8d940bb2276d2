import {
	allocatePages,
	BarPagesTable,
	type HostPages,
	type PagesBackEnd,
	pagesEntries,
	rangeOf,
} from '#devices/bar-pages';
import type {AnyDeviceModel, DeviceInstance} from '#devices/device';
import type {MappedMemory, MappedRange} from '#devices/guest-memory';
import type {PciFabric} from '#devices/pci/fabric';
import {isFunctionModel} from '#devices/pci/function';
import {errorTable} from '#support/errors';

/** The memory that a BAR of a device is. */
export interface PlacedPages {
	/** Of the device's front. */
	readonly region: number;
	/** Its number in the table of the machine's. */
	readonly entry: number;
	/** Snapshots have what is in it. */
	readonly isSaved: boolean;
	/** The host may come to have no page for it: see `PciBar.pages`. */
	readonly isMapped: boolean;
	readonly pages: HostPages;
}

const pagesError = errorTable({
	DEVICE_PAGES_TOO_MANY: (c: {name: string}) => ({
		message: `There is no room for the memory of ${c.name}: a machine has ${pagesEntries} BARs that are memory`,
	}),
	DEVICE_PAGES_EXHAUSTED: (c: {name: string; bytes: number}) => ({
		message: `The process has no address space left for 0x${c.bytes.toString(16)} bytes of memory of ${c.name}`,
		remedy: 'Give it less memory, or raise what limits the process: ulimit -v',
	}),
});

/**
 * Makes the memory of a device.
 * @param others - devices that have theirs
 * @throws VmmError
 */
export function placePages(
	{name, config}: DeviceInstance,
	model: AnyDeviceModel,
	others: readonly {readonly pages: readonly PlacedPages[]}[],
): readonly PlacedPages[] {
	if (!isFunctionModel(model)) return [];
	const taken = new Set(others.flatMap(({pages}) => pages.map(({entry}) => entry)));
	return model.design(config).bars.flatMap(({pages: kind, region, size}): PlacedPages[] => {
		if (kind === undefined) return [];
		let entry = 0;
		while (taken.has(entry)) entry++;
		if (entry >= pagesEntries) throw pagesError('DEVICE_PAGES_TOO_MANY', {name});
		taken.add(entry);
		return [{region, entry, isSaved: kind === 'saved', isMapped: kind === 'mapped', pages: allocate(name, size)}];
	});
}

function allocate(name: string, bytes: number): HostPages {
	try {
		return allocatePages(bytes);
	} catch (cause) {
		throw pagesError('DEVICE_PAGES_EXHAUSTED', {name, bytes}, {cause});
	}
}

/** The memory of a BAR as one thread has it. */
export class AttachedPages {
	readonly placed: PlacedPages;
	/** Addresses are offsets. */
	readonly memory: MappedMemory;
	#range: MappedRange;

	/** @param memory - the machine's, whose clock it shares */
	constructor(placed: PlacedPages, memory: MappedMemory) {
		this.placed = placed;
		this.#range = rangeOf(placed.pages, 0);
		this.memory = memory.own(this.#range);
	}

	/** The memory where it lies in the guest; the same object as long as it lies there. */
	at(gpa: number): MappedRange {
		if (this.#range.gpa !== gpa) this.#range = {...this.#range, gpa};
		return this.#range;
	}
}

/** A device with the memory that it has. */
interface DeviceWithPages {
	readonly pages: readonly AttachedPages[];
	readonly faults: {readonly hasFailed: boolean};
}

/** One thread's view of where in the guest its devices' memory is. */
export class DevicePages {
	readonly #table: BarPagesTable;

	constructor(buffer: SharedArrayBuffer, backEnd: PagesBackEnd | undefined) {
		this.#table = new BarPagesTable(buffer, backEnd);
	}

	/** Has the back end map the memory of these devices where it is now, and no other. */
	follow(devices: readonly DeviceWithPages[], pci: PciFabric | undefined): void {
		this.#table.follow(
			devices.flatMap(({pages, faults}, number) =>
				pages.flatMap((each) => {
					const gpa = faults.hasFailed ? undefined : pci?.whole(number, each.placed.region);
					return gpa === undefined ? [] : [{entry: each.placed.entry, range: each.at(gpa)}];
				}),
			),
		);
	}

	/** The memory of these devices that is at an address. */
	find(gpa: number, devices: readonly DeviceWithPages[], pci: PciFabric | undefined): MappedRange | undefined {
		const found = pci?.pagesAt(gpa);
		if (found === undefined) return undefined;
		const {pages, faults} = devices[found.device] as DeviceWithPages;
		const memory = pages.find(({placed}) => placed.region === found.region);
		return faults.hasFailed ? undefined : memory?.at(found.base);
	}
}
