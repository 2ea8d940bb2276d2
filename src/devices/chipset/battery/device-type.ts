import {deviceType, switchFlag} from '#devices/device-type';
import {batteryAcpi} from './acpi.ts';
import {battery, batteryAddress, batteryKind, defaultBattery, type UpdateBattery} from './device.ts';

/** The battery as machines have it. */
export const batteryType = deviceType({
	...battery,
	kind: batteryKind,
	summary: 'A battery and a power adapter, whose status the owner sets',
	configure: () => ({base: batteryAddress, initial: defaultBattery}),
	flags: switchFlag('battery', 'a battery and a power adapter (ACPI)'),
	acpi: batteryAcpi,
	words: ({present, charging, discharging, acOnline, remainingMwh, capacityMwh}) => ({
		battery:
			present === 0
				? 'none'
				: `${charging ? 'charging' : discharging ? 'discharging' : 'idle'}, ${remainingMwh} of ${capacityMwh} mWh`,
		adapter: acOnline === 0 ? 'unplugged' : 'plugged in',
	}),
	commands: [{kind: 'update-battery', status: {...defaultBattery, remainingMwh: 1}} satisfies UpdateBattery],
});
