import {deviceType, switchFlag} from '#devices/device-type';
import {watchdogAcpi} from './acpi.ts';
import {guestWatchdog, guestWatchdogKind, guestWatchdogPort, watchdogReset} from './device.ts';
import {Config, running} from './registers.ts';

/** The watchdog as machines have it. */
export const guestWatchdogType = deviceType({
	...guestWatchdog,
	kind: guestWatchdogKind,
	summary: 'A watchdog that fires when the guest stops telling it that it is alive',
	configure: () => ({port: guestWatchdogPort}),
	acpi: watchdogAcpi,
	flags: switchFlag(
		'guest-watchdog',
		'a watchdog (ACPI WDAT, ports 0x30-0x37) that fires when the guest stops telling it that it is alive',
	),
	words: ({config, configuredCount}) => ({
		status: (config & running) === running ? `fires ${configuredCount} s after the guest was last heard of` : 'off',
		latestReset: (config & Config.BOOT_STATUS) === 0 ? "not the watchdog's" : "the watchdog's",
	}),
	commands: [watchdogReset],
});
