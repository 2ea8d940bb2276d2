import type {GuestMemory, MemoryRange} from '#devices/guest-memory';
import {Command, type ConfigSpace, Header} from '#devices/pci/config-space';

/** Guest RAM as a function reaches it: not at all while the guest has not made it a bus master. */
export class BusMasterMemory implements GuestMemory {
	readonly #memory: GuestMemory;
	readonly #space: ConfigSpace;

	constructor(memory: GuestMemory, space: ConfigSpace) {
		this.#memory = memory;
		this.#space = space;
	}

	get ranges(): readonly MemoryRange[] {
		return this.#memory.ranges;
	}

	contains(gpa: number, length: number): boolean {
		return this.#isMaster && this.#memory.contains(gpa, length);
	}

	read(gpa: number, target: Uint8Array): boolean {
		return this.#isMaster && this.#memory.read(gpa, target);
	}

	write(gpa: number, source: Uint8Array): boolean {
		return this.#isMaster && this.#memory.write(gpa, source);
	}

	fill(gpa: number, length: number, value: number): boolean {
		return this.#isMaster && this.#memory.fill(gpa, length, value);
	}

	readInteger(gpa: number, size: 1 | 2 | 4): number | undefined {
		return this.#isMaster ? this.#memory.readInteger(gpa, size) : undefined;
	}

	writeInteger(gpa: number, size: 1 | 2 | 4, value: number): boolean {
		return this.#isMaster && this.#memory.writeInteger(gpa, size, value);
	}

	hostAddress(gpa: number, length: number): bigint | undefined {
		return this.#isMaster ? this.#memory.hostAddress(gpa, length) : undefined;
	}

	get #isMaster(): boolean {
		return (this.#space.read(Header.COMMAND, 1) & Command.MASTER) !== 0;
	}
}
