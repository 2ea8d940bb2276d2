export type {AttachedDevice} from './attached-device.ts';
export {AttachedMachine, type MachineHost} from './attached-machine.ts';
export {CommonMemories} from './common-memories.ts';
export {type BacksOptions, DeviceBacks} from './device-backs.ts';
export {catchStrays} from './device-code.ts';
export {type DeviceFailurePolicy, stopTimeout} from './device-failure.ts';
export {backWords} from './device-header.ts';
export {type DeviceShape, deviceShape} from './device-shape.ts';
export {deviceAt, withConfig, withDevice, withoutDevice} from './hot-plug.ts';
export {
	layOutMachine,
	type MachineLayout,
	type ModelFinder,
	type PlacedCalls,
	type PlacedDevice,
	type PlacedWorker,
	queueSlot,
	workerOf,
	workersFor,
} from './layout.ts';
export {lineInputs} from './line-inputs.ts';
export {MachineEvents, MachineState} from './machine-events.ts';
export type {OwnedState, SavedDevice, SavedDevices} from './saved-machine.ts';
export {TrackedPromises} from './tracked-promises.ts';
