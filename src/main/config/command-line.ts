import {terminalUsers} from './terminal.ts';
import type {VmConfig} from './vm-config.ts';

/**
 * Gives the words for Linux in front of the user's, as in OpenVMM: panics reboot at once and all messages are shown, the
 * console is the device that is bound to ours. Nothing when the configuration says so.
 */
export function linuxDefaultWords(config: Pick<VmConfig, 'boot' | 'devices'>): readonly string[] {
	if (config.boot.kind === 'linux' && config.boot.defaultWords === false) return [];
	const consoles = terminalUsers(config).flatMap(({linuxName}) => (linuxName === undefined ? [] : [linuxName]));
	return ['panic=-1', 'debug', ...consoles.slice(0, 1).map((name) => `console=${name}`)];
}
