export {batteryType} from './device-type.ts';
export {
	type BatteryConfig,
	type BatteryStatus,
	batteryAddress,
	batteryKind,
	defaultBattery,
	type UpdateBattery,
} from './handle.ts';
export {battery} from './model.ts';
