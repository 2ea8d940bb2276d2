import type {SerialConfig, VmConfig} from './vm-config.ts';

const ttyOf = {com1: 'ttyS0', com2: 'ttyS1', com3: 'ttyS2', com4: 'ttyS3'} satisfies Record<keyof SerialConfig, string>;

/** The port that is bound to the console, or undefined. */
export function consolePort(serial: SerialConfig): keyof SerialConfig | undefined {
	return (['com1', 'com2', 'com3', 'com4'] as const).find((port) => serial[port].kind === 'console');
}

/**
 * The kernel command line of a Linux guest, as OpenVMM makes it: panics reboot at once and all messages
 * are shown, the console is the port that is bound to ours, then what the user added.
 */
export function linuxCommandLine(config: VmConfig): string {
	const port = consolePort(config.serial);
	const extra = config.boot.kind === 'linux' ? config.boot.commandLine : [];
	return ['panic=-1 debug', ...(port ? [`console=${ttyOf[port]}`] : []), ...extra].join(' ');
}
