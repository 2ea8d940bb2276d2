import type {AccessSize, DeclaredModel} from '#devices/device';
import type {MemoryRange} from '#devices/guest-memory';
import {bytesPerBus} from '#devices/pci/root-complex';
import {testComplex, WorkedMachine} from '#devices/pci/testing';

export type TransportName = 'pci' | 'mmio';
/** Registers of a transport that a device's driver needs; names are those of the specification. */
export interface Registers {
	read(name: string): number;
	write(name: string, value: number): void;
	readConfig(offset: number, size: AccessSize): number;
	writeConfig(offset: number, size: AccessSize, value: number): void;
	/** @param data - what a driver tells with VIRTIO_F_NOTIFICATION_DATA: where its next buffer goes */
	notify(queue: number, data?: number): void;
	/** Takes what the device interrupts for. */
	takeInterrupts(): number;
}

const mmioBase = 0xd000_0000;
const mmioIrq = 5;

/** A machine with one virtio device. */
export class VirtioMachine extends WorkedMachine {
	readonly registers: Registers;

	/** @param isOpened - false where the backs are still to be opened: {@link VirtioMachine.opened} */
	constructor(
		model: DeclaredModel,
		transport: TransportName,
		config: object = {},
		isOpened = true,
		ram?: readonly MemoryRange[],
	) {
		const isPci = transport === 'pci';
		super(model, isPci ? config : {...config, mmio: {base: mmioBase, irq: mmioIrq}}, isPci, ram);
		this.registers = isPci ? new PciRegisters(this) : mmioRegisters(this);
		if (isOpened) this.start();
	}

	/** One whose device opens something of the host's. */
	static async opened(
		model: DeclaredModel,
		transport: TransportName,
		config: object,
		ram?: readonly MemoryRange[],
	): Promise<VirtioMachine> {
		const made = new VirtioMachine(model, transport, config, false, ram);
		await made.open();
		made.start();
		return made;
	}
}

const mmioOffsets: Readonly<Record<string, number>> = {
	device_feature: 0x10,
	device_feature_select: 0x14,
	driver_feature: 0x20,
	driver_feature_select: 0x24,
	queue_select: 0x30,
	queue_size: 0x38,
	queue_enable: 0x44,
	device_status: 0x70,
	queue_desc: 0x80,
	queue_driver: 0x90,
	queue_device: 0xa0,
	queue_reset: 0xc0,
	config_generation: 0xfc,
};

/** Registers of a device on MMIO at the place that {@link VirtioMachine} gives one. */
export function mmioRegisters({bus}: Pick<VirtioMachine, 'bus'>): Registers {
	const at = (name: string) => mmioBase + (mmioOffsets[name] as number);
	return {
		read: (name) => bus.readMmio(at(name), 4) >>> 0,
		write(name, value) {
			bus.writeMmio(at(name), 4, value);
			if (/^queue_(desc|driver|device)$/.test(name)) bus.writeMmio(at(name) + 4, 4, 0);
		},
		readConfig: (offset, size) => bus.readMmio(mmioBase + 0x100 + offset, size) >>> 0,
		writeConfig: (offset, size, value) => bus.writeMmio(mmioBase + 0x100 + offset, size, value),
		notify: (queue, data = 0) => bus.writeMmio(mmioBase + 0x50, 4, queue + data * 2 ** 16),
		takeInterrupts() {
			const pending = bus.readMmio(mmioBase + 0x60, 4);
			bus.writeMmio(mmioBase + 0x64, 4, pending);
			return pending;
		},
	};
}

const commonFields: Readonly<Record<string, readonly [offset: number, size: AccessSize]>> = {
	device_feature_select: [0x00, 4],
	device_feature: [0x04, 4],
	driver_feature_select: [0x08, 4],
	driver_feature: [0x0c, 4],
	config_msix_vector: [0x10, 2],
	num_queues: [0x12, 2],
	device_status: [0x14, 1],
	config_generation: [0x15, 1],
	queue_select: [0x16, 2],
	queue_size: [0x18, 2],
	queue_msix_vector: [0x1a, 2],
	queue_enable: [0x1c, 2],
	queue_notify_off: [0x1e, 2],
	queue_desc: [0x20, 4],
	queue_driver: [0x28, 4],
	queue_device: [0x30, 4],
	queue_reset: [0x3a, 2],
};

/** Finds the device's structures by its capabilities, as a driver does. */
export class PciRegisters implements Registers {
	readonly #bus: VirtioMachine['bus'];
	/** Structures by type: their address, and what the notification capability has behind. */
	readonly #structures = new Map<number, {readonly at: number; readonly multiplier: number; readonly cap: number}>();
	/** Places where the driver finds shared memory regions, by id. */
	readonly sharedMemory = new Map<number, {readonly at: number; readonly length: number}>();

	constructor({bus}: Pick<VirtioMachine, 'bus'>) {
		this.#bus = bus;
		const bar = (this.config(0x10, 4) & ~0xf) >>> 0;
		this.setConfig(4, 2, 6);
		for (let cap = this.config(0x34, 1); cap !== 0; cap = this.config(cap + 1, 1)) {
			if (this.config(cap, 1) !== 9) continue;
			if (this.config(cap + 3, 1) === 8) this.#addSharedMemory(cap);
			const place = {at: bar + this.config(cap + 8, 4), multiplier: this.config(cap + 16, 4), cap};
			this.#structures.set(this.config(cap + 3, 1), place);
		}
	}

	#addSharedMemory(cap: number): void {
		const wide = (low: number, high: number) => high * 2 ** 32 + low;
		const register = 0x10 + 4 * this.config(cap + 4, 1);
		const base = wide((this.config(register, 4) & ~0xf) >>> 0, this.config(register + 4, 4));
		this.sharedMemory.set(this.config(cap + 5, 1), {
			at: base + wide(this.config(cap + 8, 4), this.config(cap + 16, 4)),
			length: wide(this.config(cap + 12, 4), this.config(cap + 20, 4)),
		});
	}

	config(offset: number, size: AccessSize): number {
		return this.#bus.readMmio(testComplex.ecam.gpa + bytesPerBus + offset, size) >>> 0;
	}

	setConfig(offset: number, size: AccessSize, value: number): void {
		this.#bus.writeMmio(testComplex.ecam.gpa + bytesPerBus + offset, size, value);
	}

	/** Offset of the capability for access through configuration space. */
	get access(): number {
		return this.#structure(5).cap;
	}

	/** Turns MSI-X on, with the vector's number for data. */
	useMessages(vectors: number): void {
		let cap = this.config(0x34, 1);
		while (this.config(cap, 1) !== 0x11) cap = this.config(cap + 1, 1);
		const table = (this.config(0x18, 4) & ~0xf) >>> 0;
		for (let vector = 0; vector < vectors; vector++)
			for (const [index, value] of [0xfee0_0000, 0, vector, 0].entries())
				this.#bus.writeMmio(table + 16 * vector + 4 * index, 4, value);
		this.setConfig(cap + 2, 2, 0x8000);
	}

	read(name: string): number {
		const [offset, size] = commonFields[name] as readonly [number, AccessSize];
		return this.#bus.readMmio(this.#structure(1).at + offset, size) >>> 0;
	}

	write(name: string, value: number): void {
		const [offset, size] = commonFields[name] as readonly [number, AccessSize];
		this.#bus.writeMmio(this.#structure(1).at + offset, size, value);
	}

	readConfig(offset: number, size: AccessSize): number {
		return this.#bus.readMmio(this.#structure(4).at + offset, size) >>> 0;
	}

	writeConfig(offset: number, size: AccessSize, value: number): void {
		this.#bus.writeMmio(this.#structure(4).at + offset, size, value);
	}

	notify(queue: number, data?: number): void {
		this.write('queue_select', queue);
		const {at, multiplier} = this.#structure(2);
		const [size, value] = data === undefined ? ([2, queue] as const) : ([4, queue + data * 2 ** 16] as const);
		this.#bus.writeMmio(at + multiplier * this.read('queue_notify_off'), size, value);
	}

	takeInterrupts(): number {
		return this.#bus.readMmio(this.#structure(3).at, 1);
	}

	#structure(type: number) {
		const found = this.#structures.get(type);
		if (found === undefined) throw new RangeError(`there is no structure ${type}`);
		return found;
	}
}
