import type {SerialConfig, VmConfig} from './vm-config.ts';

const ttyOf = {com1: 'ttyS0', com2: 'ttyS1', com3: 'ttyS2', com4: 'ttyS3'} satisfies Record<keyof SerialConfig, string>;

/** The port that is bound to the console, or undefined. */
export function consolePort(serial: SerialConfig): keyof SerialConfig | undefined {
	return (['com1', 'com2', 'com3', 'com4'] as const).find((port) => serial[port].kind === 'console');
}

/**
 * What Linux gets in front of the user's words, as in OpenVMM: panics reboot at once and all messages are shown, the console
 * is the port that is bound to ours. Nothing when the configuration says so.
 */
export function linuxDefaultWords({boot, serial}: VmConfig): readonly string[] {
	if (boot.kind === 'linux' && boot.defaultWords === false) return [];
	const port = consolePort(serial);
	return ['panic=-1', 'debug', ...(port ? [`console=${ttyOf[port]}`] : [])];
}
