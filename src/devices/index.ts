/** What a device module of a user's own is written with: `import {…} from 'openvmm/devices'`. */

export type {Reactor, Readiness, Timer, Watch} from '#support/reactor';
export type {StateVersions} from '#support/saved-state';
export {
	ByteRing,
	bytes,
	type Field,
	type Fields,
	type FixedArray,
	f64,
	i32,
	ringFields,
	type Scalar,
	type StructSchema,
	type StructView,
	sensitive,
	sharedStruct,
	u8,
	u16,
	u32,
	words,
} from '#support/shared-memory';
export {asAddress, below, type Guest, masked, oneOf, unchecked, within} from '#support/trust';
export {type ByteRegisters, byteFront} from './chipset/byte-registers/index.ts';
export type * from './device/index.ts';
export {
	type DmaDirection,
	fence,
	type GuestMemory,
	type GuestWindow,
	IoVectors,
	type MemoryGate,
	type MemoryRange,
} from './guest-memory/index.ts';
export type {InterruptLine, MessageInterrupts} from './interrupts/index.ts';
export type {VmTime} from './vm-time/index.ts';
