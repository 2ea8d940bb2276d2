/** What a device module of a user's own is written with: `import {…} from 'openvmm/devices'`. */

export type {Reactor, Readiness, Timer, Watch} from '#support/reactor';
export type {StateVersions} from '#support/saved-state';
export {ByteRing, ringFields} from '#support/shared-memory';
export {asAddress, below, type Guest, masked, oneOf, unchecked, within} from '#support/trust';
export {
	type AnyField,
	array,
	bits,
	bytes,
	choice,
	type Fields,
	type FieldsView,
	f64,
	flag,
	i32,
	i64,
	packed,
	range,
	reserved,
	sparse,
	u8,
	u16,
	u32,
	u64,
	type ViewOf,
	Wire,
	wire,
} from '#support/wire';
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
