import type {DeviceCommand} from '#devices/device';

/** Names this device in machine descriptions. */
export const guestWatchdogKind = 'guest-watchdog';

/** First port, where OpenVMM has it. */
export const guestWatchdogPort = 0x30;

/** The watchdog that a guest has to keep quiet. */
export interface GuestWatchdogConfig {
	/** First of its eight ports. */
	readonly port: number;
}

/** Tells the guest that its latest reset was the watchdog's; to be sent after that reset. */
export const watchdogReset = {kind: 'watchdog-reset'} as const satisfies DeviceCommand;
