import type {DeviceCommand, DeviceFront, DeviceModel, DeviceServices} from '#devices/device';
import {gpeInput} from '#devices/interrupts';
import {type FieldsView, u8, u32, wire} from '#support/wire';
import {designCapacityMwh, Notify, Offset, regionLength, State, Status, unknown} from './registers.ts';

/** Names this device in machine descriptions. */
export const batteryKind = 'battery';

/** Address and general-purpose event, where Hyper-V's firmware and OpenVMM have them. */
export const batteryAddress = 0xfed3_f000;
export const batteryEvent = 9;

/** Status of a battery, as its owner sees it. */
export interface BatteryStatus {
	readonly present: boolean;
	readonly charging: boolean;
	readonly discharging: boolean;
	/** Rate of charging or discharging, in milliwatts. */
	readonly rateMw: number;
	/** Remaining and full charge, in milliwatt hours. */
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
	/** Status after each reset. */
	readonly initial: BatteryStatus;
}

/** Shows the guest another status. */
export interface UpdateBattery extends DeviceCommand {
	readonly kind: 'update-battery';
	readonly status: BatteryStatus;
}

/** The shared state of the battery. */
export const BatteryState = wire('battery', {
	present: u8,
	charging: u8,
	discharging: u8,
	acOnline: u8,
	rateMw: u32,
	remainingMwh: u32,
	capacityMwh: u32,
	/** Changes that the guest has not seen, bits of `Notify`. */
	notify: u32,
});

/** Fields of {@link BatteryState}. */
export type BatteryFields = (typeof BatteryState)['fields'];

/** A battery and a power adapter whose status the machine's owner sets; guests see them through ACPI. */
export const battery: DeviceModel<BatteryConfig, BatteryFields> = {
	kind: batteryKind,
	state: BatteryState,
	attach: {regions: ({base}) => [{space: 'mmio', name: 'registers', base, length: regionLength}]},
	lines: () => ({changed: gpeInput(batteryEvent)}),
	front: batteryFront,
};

/** The battery's registers on one thread. Accesses that are not of 32 bits read zero and write nothing. */
function batteryFront(
	{initial}: BatteryConfig,
	state: FieldsView<BatteryFields>,
	services: DeviceServices,
): DeviceFront {
	const line = services.line('changed');

	/** In units of the battery that the guest sees. */
	const scaled = (value: number) => {
		const {present, capacityMwh} = state;
		if (present === 0 || capacityMwh === 0) return unknown;
		return Math.floor(Math.min(value * designCapacityMwh, 0xffff_ffff) / capacityMwh);
	};

	const batteryState = () => {
		if (state.present === 0) return 0;
		if (state.charging !== 0) return State.CHARGING;
		return state.discharging !== 0 ? State.DISCHARGING : 0;
	};

	const readRegister = (offset: number): number => {
		switch (offset) {
			case Offset.STATUS:
				return state.present === 0 ? Status.EMPTY : Status.PRESENT;
			case Offset.STATE:
				return batteryState();
			case Offset.RATE:
				return scaled(state.rateMw);
			case Offset.REMAINING:
				return scaled(state.remainingMwh);
			case Offset.AC_ONLINE:
				return state.acOnline === 0 ? 0 : 1;
			case Offset.NOTIFY_STATUS:
				return state.notify;
			default:
				return 0;
		}
	};

	const show = (status: BatteryStatus) => {
		// A battery of no capacity is none.
		state.present = status.present && status.capacityMwh > 0 ? 1 : 0;
		state.charging = status.charging ? 1 : 0;
		state.discharging = status.discharging ? 1 : 0;
		state.acOnline = status.acOnline ? 1 : 0;
		state.rateMw = status.rateMw;
		state.remainingMwh = status.remainingMwh;
		state.capacityMwh = status.capacityMwh;
	};

	const drive = () => line.setLevel(state.notify !== 0);

	return {
		read: (_region, offset, size) => (size === 4 ? readRegister(offset) : 0),
		write(_region, offset, size, value) {
			if (size !== 4 || offset !== Offset.NOTIFY_CLEAR) return;
			state.notify &= ~value;
			drive();
		},
		reset() {
			show(initial);
			drive();
		},
		control(command: DeviceCommand) {
			if (command.kind !== 'update-battery') return;
			show((command as UpdateBattery).status);
			state.notify |= Notify.INFORMATION_CHANGED;
			drive();
		},
	};
}
