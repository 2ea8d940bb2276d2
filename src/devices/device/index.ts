export type {
	AccessSize,
	AnyDeviceModel,
	BackServices,
	DeviceBack,
	DeviceFront,
	DeviceInstance,
	DeviceModel,
	DeviceServices,
	MachineEvent,
	Region,
} from './device.ts';
