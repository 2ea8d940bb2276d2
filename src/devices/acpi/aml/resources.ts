import {concatBytes, littleEndian} from '#support/wire';
import type {Aml} from './encoding.ts';
import {buffer} from './terms.ts';

/** One resource descriptor (ACPI 6.5, 6.4). */
export type Resource = Uint8Array;

/** Signalling of an interrupt. */
export interface InterruptMode {
	/** Edge rather than level. */
	readonly edge: boolean;
	/** Other devices may share it. */
	readonly shared?: boolean;
	/** Its line is low when it is asserted. */
	readonly activeLow?: boolean;
}

/** General and memory flags of address space descriptors (6.4.3.5, tables 6.46 and 6.47). */
const [resourceConsumer, fixedBothEnds, readWrite] = [0x01, 0x0c, 0x01];

const u8 = (value: number) => littleEndian(value, 1);
const u16 = (value: number) => littleEndian(value, 2);
const u32 = (value: number) => littleEndian(value, 4);
const u64 = (value: number) => littleEndian(value, 8);
const large = (type: number, ...parts: readonly Uint8Array[]) => {
	const body = concatBytes(...parts);
	return concatBytes(u8(type), u16(body.length), body);
};

/** `IRQNoFlags () {irq}`: an edge-triggered, active-high ISA interrupt, 0–15 (6.4.2.1). */
export function irq(number: number): Resource {
	return concatBytes(u8(0x22), u16(1 << number));
}

/** `IO (Decode16, base, base, alignment, length)` (6.4.2.5). */
export function ioPorts(base: number, length: number, alignment = 1): Resource {
	return concatBytes(u8(0x47), u8(1), u16(base), u16(base), u8(alignment), u8(length));
}

/** `Memory32Fixed (ReadWrite, base, length)` (6.4.3.4). */
export function memory32Fixed(base: number, length: number): Resource {
	return large(0x86, u8(1), u32(base), u32(length));
}

/** The registers of a device, wherever they are: `Memory32Fixed`, or where 32 bits do not reach `QWordMemory (ResourceConsumer, …, NonCacheable, ReadWrite, …)`. */
export function memoryFixed(base: number, length: number): Resource {
	if (base + length <= 2 ** 32) return memory32Fixed(base, length);
	return addressSpace(0x8a, 0, fixedBothEnds | resourceConsumer, readWrite, u64, base, length);
}

/** `Interrupt (ResourceConsumer, …) {gsi}` (6.4.3.6). */
export function interrupt(gsi: number, {edge, activeLow = false, shared = false}: InterruptMode): Resource {
	const flags = 0x01 | (edge ? 0x02 : 0) | (activeLow ? 0x04 : 0) | (shared ? 0x08 : 0);
	return large(0x89, u8(flags), u8(1), u32(gsi));
}

/** `QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite, …)` (6.4.3.5.1). */
export function qwordMemory(base: number, length: number): Resource {
	const cacheableReadWrite = readWrite | 0x02;
	return addressSpace(0x8a, 0, fixedBothEnds, cacheableReadWrite, u64, base, length);
}

/** `WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange, …)` (6.4.3.5.3). */
export function portWindow(base: number, length: number): Resource {
	const entireRange = 0x03;
	return addressSpace(0x88, 1, fixedBothEnds, entireRange, u16, base, length);
}

/** `WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, …)` (6.4.3.5.3). */
export function busNumbers(first: number, count: number): Resource {
	return addressSpace(0x88, 2, fixedBothEnds, 0, u16, first, count);
}

/** `ResourceTemplate () {resources}`: the descriptors and an end tag without a checksum (6.4.2.9). */
export function resourceTemplate(...resources: readonly Resource[]): Aml {
	return buffer(concatBytes(...resources, Uint8Array.of(0x79, 0x00)));
}

function addressSpace(
	type: number,
	resourceType: number,
	flags: number,
	typeFlags: number,
	word: (value: number) => Uint8Array,
	base: number,
	length: number,
): Resource {
	const granularity = word(0);
	const translation = word(0);
	const range = [granularity, word(base), word(base + length - 1), translation, word(length)];
	return large(type, u8(resourceType), u8(flags), u8(typeFlags), ...range);
}
