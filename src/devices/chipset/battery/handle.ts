import type {DeviceCommand} from '#devices/device';

/** Names this device in machine descriptions. */
export const batteryKind = 'battery';

/** Address and general-purpose event, where Hyper-V's firmware and OpenVMM have them. */
export const batteryAddress = 0xfed3_f000;
export const batteryEvent = 9;

/** What a battery is doing, as its owner sees it. */
export interface BatteryStatus {
	readonly present: boolean;
	readonly charging: boolean;
	readonly discharging: boolean;
	/** How fast, in milliwatts. */
	readonly rateMw: number;
	/** What is left, and what fits, in milliwatt hours. */
	readonly remainingMwh: number;
	readonly capacityMwh: number;
	/** There is power from the wall. */
	readonly acOnline: boolean;
}

/** A battery that is nearly full, as OpenVMM shows it with `--battery`. */
export const defaultBattery: BatteryStatus = {
	present: true,
	charging: true,
	discharging: false,
	rateMw: 1,
	remainingMwh: 950,
	capacityMwh: 1000,
	acOnline: true,
};

/** The battery of a machine. */
export interface BatteryConfig {
	/** First guest-physical address of its registers. */
	readonly base: number;
	/** What it shows after each reset. */
	readonly initial: BatteryStatus;
}

/** Shows the guest another status. */
export interface UpdateBattery extends DeviceCommand {
	readonly kind: 'update-battery';
	readonly status: BatteryStatus;
}
