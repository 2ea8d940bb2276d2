/** What a device module of a user's own is written with: `import {…} from 'openvmm/devices'`. */

export type {Reactor, Readiness, Timer, Watch} from '#support/reactor';
export {
	ByteRing,
	bytes,
	type Fields,
	f64,
	i32,
	ringFields,
	type StructView,
	sensitive,
	sharedStruct,
	u8,
	u16,
	u32,
	words,
} from '#support/shared-memory';
export {byteFront} from './chipset/byte-registers/index.ts';
export type * from './device/index.ts';
export type {GuestMemory} from './guest-memory/index.ts';
export type {InterruptLine, MessageInterrupts} from './interrupts/index.ts';
export type {VmTime} from './vm-time/index.ts';
