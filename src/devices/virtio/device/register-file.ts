import type {AccessSize} from '#devices/device';
import type {CoreRegister} from './core-registers.ts';
import type {VirtioCore} from './virtio-core.ts';

/** A register with its place. */
export type PlacedRegister = readonly [offset: number, size: AccessSize, register: CoreRegister];

/** Registers at their offsets. Reads may be of any width; a write is of a whole register, or it changes nothing. */
export class RegisterFile {
	/** By offset: the register that has this byte. */
	readonly #at: readonly (PlacedRegister | undefined)[];

	constructor(registers: readonly PlacedRegister[]) {
		const at: (PlacedRegister | undefined)[] = [];
		for (const placed of registers) for (let i = 0; i < placed[1]; i++) at[placed[0] + i] = placed;
		this.#at = Array.from(at);
	}

	read(core: VirtioCore, offset: number, size: AccessSize): number {
		let value = 0;
		for (let i = 0; i < size; ) {
			const placed = this.#at[offset + i];
			if (placed === undefined) {
				i++;
				continue;
			}
			const [start, width, register] = placed;
			const skipped = offset + i - start;
			const count = Math.min(width - skipped, size - i);
			const bytes = Math.floor(register.read(core) / 2 ** (8 * skipped)) % 2 ** (8 * count);
			value += bytes * 2 ** (8 * i);
			i += count;
		}
		return value;
	}

	write(core: VirtioCore, offset: number, size: AccessSize, value: number): void {
		const placed = this.#at[offset];
		if (placed !== undefined && placed[0] === offset && placed[1] === size) placed[2].write?.(core, value);
	}
}
