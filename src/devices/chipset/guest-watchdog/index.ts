export {guestWatchdogType} from './device-type.ts';
export {type GuestWatchdogConfig, guestWatchdogKind, guestWatchdogPort, watchdogReset} from './handle.ts';
export {guestWatchdog} from './model.ts';
export {
	Config as WatchdogConfig,
	Port as WatchdogPort,
	Register as WatchdogRegister,
	running as watchdogRunning,
} from './registers.ts';
