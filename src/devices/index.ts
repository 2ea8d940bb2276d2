/** Contract for a user's own device modules: `import {…} from 'openvmm/devices'`. */

export type {Option, OptionTable, OptionValues, ValueType} from '#support/options';
export type {Reactor, Readiness, Timer, Watch} from '#support/reactor';
export type {CallLimits, KeepObject, ProgramAnswer, ProgramCaller, ProgramHandle, ProgramObject} from '#support/rpc';
export {readFields, type SavedFields, type StateVersions} from '#support/saved-state';
export {ByteRing, ringFields} from '#support/shared-memory';
export {asAddress, below, type Guest, masked, oneOf, unchecked, within} from '#support/trust';
export {
	type AnyField,
	array,
	type Bits,
	bits,
	bytes,
	type Cell,
	cell,
	choice,
	type FieldArray,
	type Fields,
	type FieldsView,
	f64,
	flag,
	type Halves,
	i32,
	i64,
	type Part,
	type Parts,
	type PlainFields,
	packed,
	type Reserved,
	range,
	reserved,
	type Scalar,
	type ScalarArray,
	sparse,
	u8,
	u16,
	u32,
	u64,
	type ViewOf,
	Wire,
	wire,
} from '#support/wire';
export * as aml from './acpi/aml/index.ts';
export type * from './acpi/index.ts';
export {type ByteRegisters, byteFront} from './chipset/byte-registers/index.ts';
export type * from './device/index.ts';
export {
	type DeclaredOf,
	type DeclaredType,
	type DeviceType,
	deviceType,
	type MachineFacts,
	type OwnedType,
	type SmbiosStructure,
} from './device-type/index.ts';
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
export {
	type Intercept,
	type LevelChanges,
	type LevelRegisters,
	PageRights,
	type TrustLevels,
	type Vtl,
} from './processor/index.ts';
export * from './virtio/device/index.ts';
export type {Chain, VirtQueue} from './virtio/queue/index.ts';
export type {VmTime} from './vm-time/index.ts';
