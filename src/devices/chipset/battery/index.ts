export {batteryType} from './device-type.ts';
export {
	type BatteryConfig,
	type BatteryStatus,
	batteryAddress,
	batteryEvent,
	batteryKind,
	defaultBattery,
	type UpdateBattery,
} from './handle.ts';
export {battery} from './model.ts';
export {
	designCapacityMwh,
	Notify as BatteryNotify,
	Offset as BatteryOffset,
	regionLength as batteryRegionLength,
} from './registers.ts';
