import type {DeviceCommand, DeviceFront, DeviceServices} from '#devices/device';
import type {FieldsView} from '#support/wire';
import type {BatteryConfig, BatteryStatus, UpdateBattery} from './handle.ts';
import {designCapacityMwh, Notify, Offset, State, Status, unknown} from './registers.ts';
import type {BatteryFields} from './state.ts';

/** The battery's registers on one thread. Accesses that are not of 32 bits read zero and write nothing. */
export function batteryFront(
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
