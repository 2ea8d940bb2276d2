import type {AccessSize} from '#devices/device';
import type {NvmeConfig} from '#devices/nvme';
import {bytesPerBus} from '#devices/pci/root-complex';
import {testComplex, WorkedMachine} from '#devices/pci/testing';
import type {OpenDisk} from '#devices/storage/backend';
import {openDisk} from '#devices/storage/source';

import {nvmeOver} from '../nvme.ts';

const messageControl = 2;

/** A machine with one NVMe controller, whose function is the only one on bus 1. */
export class NvmeMachine extends WorkedMachine {
	private constructor(config: Partial<NvmeConfig>, open: OpenDisk) {
		const usual: NvmeConfig = {
			namespaces: [
				{nsid: 1, disk: {kind: 'memory', bytes: 0x8_0000}, readOnly: false},
				{nsid: 3, disk: {kind: 'memory', bytes: 0x1_0000}, readOnly: true},
			],
			queues: 4,
			workers: 1,
			serial: 'test',
		};
		super(nvmeOver(open), {...usual, ...config}, true);
		this.setConfig(4, 2, 6);
	}

	/** @param disks - what opens its disks, in place of what there is */
	static async make(config: Partial<NvmeConfig> = {}, disks?: {readonly open: OpenDisk}): Promise<NvmeMachine> {
		const made = new NvmeMachine(config, disks?.open ?? openDisk);
		await made.open();
		made.start();
		return made;
	}

	config(offset: number, size: AccessSize): number {
		return this.bus.readMmio(testComplex.ecam.gpa + bytesPerBus + offset, size) >>> 0;
	}

	setConfig(offset: number, size: AccessSize, value: number): void {
		this.bus.writeMmio(testComplex.ecam.gpa + bytesPerBus + offset, size, value);
	}

	/** Turns MSI-X on, with the vector's number for data. */
	useMessages(vectors = 64): void {
		let cap = this.config(0x34, 1);
		while (this.config(cap, 1) !== 0x11) cap = this.config(cap + 1, 1);
		const table = this.#bar(4);
		for (let vector = 0; vector < vectors; vector++)
			for (const [index, value] of [0xfee0_0000, 0, vector, 0].entries())
				this.bus.writeMmio(table + 16 * vector + 4 * index, 4, value);
		this.setConfig(cap + messageControl, 2, 0x8000);
	}

	read(offset: number, size: AccessSize = 4): number {
		return this.bus.readMmio(this.#bar(0) + offset, size) >>> 0;
	}

	write(offset: number, value: number, size: AccessSize = 4): void {
		this.bus.writeMmio(this.#bar(0) + offset, size, value);
	}

	/** Takes what interrupts there were. */
	takeInterrupts(): string[] {
		return this.interrupts.splice(0);
	}

	#bar(index: number): number {
		return (this.config(0x10 + 4 * index, 4) & ~0xf) >>> 0;
	}
}
