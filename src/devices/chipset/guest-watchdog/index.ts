export {
	type GuestWatchdogConfig,
	guestWatchdog,
	guestWatchdogKind,
	guestWatchdogPort,
	watchdogReset,
} from './device.ts';
export {guestWatchdogType} from './device-type.ts';
export {
	Config as WatchdogConfig,
	Port as WatchdogPort,
	Register as WatchdogRegister,
	running as watchdogRunning,
} from './registers.ts';
