import type {TerminalUse} from '#devices/device-type';
import {type DeviceRegistry, deviceRegistry} from '#devices/registry';
import {readOptions} from '#support/options';
import type {VmConfig} from './vm-config.ts';

/** A device that is bound to the process's terminal. */
export interface TerminalUser extends TerminalUse {
	readonly name: string;
}

/** The devices that are bound to the terminal. More than one is an error of the configuration. */
export function terminalUsers(
	{devices}: Pick<VmConfig, 'devices'>,
	registry: DeviceRegistry = deviceRegistry,
): TerminalUser[] {
	return devices.flatMap((handle) => {
		const type = 'kind' in handle ? registry.findType(handle.kind) : undefined;
		if (type?.terminal === undefined) return [];
		const {kind, options: table = {}} = type;
		const {name = kind, options = {}} = handle;
		const {values, problems} = readOptions(table, options, name);
		const use = problems.length === 0 ? type.terminal(values) : undefined;
		return use === undefined ? [] : [{name, ...use}];
	});
}
