import type {MachineServices, PciBar, PciDeviceServices, PciSlot} from '#devices/device';
import type {GuestMemory, MemoryGate} from '#devices/guest-memory';
import {Command, ConfigSpace, Header, type MsixPlace} from '#devices/pci/config-space';
import {beginChange, endChange} from '#support/shared-memory';
import type {Fields, FieldsView} from '#support/wire';
import {FunctionInterrupts} from './function-interrupts.ts';
import type {CapabilityPlaces, FunctionLayout} from './function-layout.ts';
import {FunctionServices} from './function-services.ts';
import {MsixTable} from './msix-table.ts';

/** The line that INTA is; the machine knows which input it leads to. */
export const intxLine = 'intx';

/** A function's configuration space on one thread, and where its capabilities lie. */
export interface FunctionRegisters {
	readonly space: ConfigSpace;
	readonly places: CapabilityPlaces;
}

/** Services of the platform's own functions: a port has to know of its slot. */
export interface SlotServices extends PciDeviceServices {
	readonly slot: PciSlot;
}

/** The parts of a function that its state is laid out by; see `FunctionParts`. */
export interface FunctionShape {
	readonly vectors: readonly string[];
	readonly msix?: {readonly place: MsixPlace};
	layout(config: never): FunctionLayout;
	/** In the order of the front's regions. */
	bars(config: never): readonly PciBar[];
}

/** One thread's objects over a function's state, and what the device gets for its services. */
export class AttachedFunction implements FunctionRegisters {
	readonly space: ConfigSpace;
	readonly places: CapabilityPlaces;
	readonly table: MsixTable | undefined;
	readonly services: SlotServices;
	/** The memory that regions are. */
	readonly pages: ReadonlyMap<number, GuestMemory>;
	readonly #interrupts: FunctionInterrupts;
	/** See `PciSlot.interruptSequence`. */
	readonly #sequence: Int32Array;
	/** One byte a vector, its line's level. */
	readonly #levels: Uint8Array;

	constructor(parts: FunctionShape, config: unknown, state: FieldsView<Fields>, services: MachineServices) {
		const {vectors, msix} = parts;
		const {slot, configSpace, ...others} = services;
		if (slot === undefined) throw new TypeError('a function sits in a slot');
		const {layout, places} = parts.layout(config as never);
		const field = (name: string) =>
			(state as unknown as Record<string, Uint8Array | undefined>)[name] ?? new Uint8Array();
		this.places = places;
		const memory = parts
			.bars(config as never)
			.flatMap(({index, pages}, region) => (pages === undefined ? [] : [{index, region, of: slot.pages(region)}]));
		this.pages = new Map(memory.map(({region, of}) => [region, of]));
		this.#sequence = slot.interruptSequence;
		this.#levels = field('pci.levels');
		this.space = new ConfigSpace(layout, field('pci.config'));
		this.table = msix && new MsixTable(field('pci.table'), field('pci.pending'), msix.place);
		this.#interrupts = new FunctionInterrupts({
			space: this.space,
			places,
			levels: this.#levels,
			table: this.table,
			pin: vectors.length > 0 ? services.line(intxLine) : undefined,
			messages: services.messages,
			sequence: this.#sequence,
		});
		this.services = {
			...others,
			slot,
			pci: new FunctionServices(
				this.#interrupts,
				this.space,
				this.places.own,
				new Map(memory.map(({index, of}) => [index, of])),
			),
			memory: services.memory.behind(new BusMastering(this.space)),
			line: (name) => this.#interrupts.lines[vectors.indexOf(name)] ?? services.line(name),
		};
	}

	/** The index of the device's own capability that lies at an offset of configuration space, or -1. */
	ownCapability(offset: number): number {
		return this.places.own.findIndex((own) => offset >= own.offset && offset < own.offset + own.length);
	}

	/** Changes registers that other threads may be sending interrupts by. */
	change<R>(change: () => R): R {
		beginChange(this.#sequence);
		try {
			return change();
		} finally {
			endChange(this.#sequence);
		}
	}

	reset(): void {
		this.change(() => {
			this.space.reset();
			this.table?.reset();
			this.#levels.fill(0);
		});
	}

	/** Until its reset is done: no bus master, no BARs, no messages, and INTA low whatever the device does with its lines. */
	silence(): void {
		this.reset();
		this.change(() => this.space.set(Header.COMMAND, 2, Command.INTX_DISABLE, Command.INTX_DISABLE));
		this.settle();
	}

	/** See {@link FunctionInterrupts.settle}. */
	settle(): void {
		this.#interrupts.settle();
	}
}

/** A function reaches memory only while the guest has made it a bus master. */
class BusMastering implements MemoryGate {
	readonly #space: ConfigSpace;

	constructor(space: ConfigSpace) {
		this.#space = space;
	}

	get isOpen(): boolean {
		return (this.#space.read(Header.COMMAND, 1) & Command.MASTER) !== 0;
	}
}
