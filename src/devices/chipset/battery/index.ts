export {
	type BatteryConfig,
	type BatteryStatus,
	battery,
	batteryAddress,
	batteryKind,
	defaultBattery,
	type UpdateBattery,
} from './device.ts';
export {batteryType} from './device-type.ts';
