import type {AccessSize, DeviceFront} from '#devices/device';

/** Registers of an 8-bit device: one byte at each offset. */
export interface ByteRegisters {
	/** The byte at `offset` of `region`, with the side effects of reading it. */
	readByte(region: number, offset: number): number;
	/** `value` is 0–255. */
	writeByte(region: number, offset: number, value: number): void;
	/** See {@link DeviceFront.reset}. */
	reset?(): void;
}

/**
 * The front of an 8-bit device. The ISA bus splits a wider access into byte cycles at ascending addresses (IEEE P996,
 * 8-bit slaves), so every width works and each byte has its own side effects.
 */
export function byteFront(registers: ByteRegisters): DeviceFront {
	const front: DeviceFront = {
		read(region, offset, size) {
			if (size === 1) return registers.readByte(region, offset);
			let value = 0;
			for (let i = 0; i < size; i++) value |= registers.readByte(region, offset + i) << (8 * i);
			return value;
		},
		write(region: number, offset: number, size: AccessSize, value: number) {
			for (let i = 0; i < size; i++) registers.writeByte(region, offset + i, (value >>> (8 * i)) & 0xff);
		},
		reset() {
			registers.reset?.();
		},
	};
	return front;
}
