import type {DeviceHandle} from '#devices/device-type';
import type {DeviceRegistry} from '#devices/registry';
import type {VmmError} from '#support/errors';
import {hostProblems, type PathHost, readOptions} from '#support/options';
import {configError} from './errors.ts';
import {terminalUsers} from './terminal.ts';

/**
 * Finds what is wrong with devices: kinds, options, what the host has not, and more than one terminal. Modules tell when they
 * are loaded.
 */
export function checkDevices(devices: readonly DeviceHandle[], registry: DeviceRegistry, host: PathHost): VmmError[] {
	const [first, second] = terminalUsers({devices}, registry);
	return [
		...(first && second ? [configError('CONFIG_CONSOLE_TWICE', {first: first.name, second: second.name})] : []),
		...devices.flatMap((handle) => checkDevice(handle, registry, host)),
	];
}

function checkDevice(handle: DeviceHandle, registry: DeviceRegistry, host: PathHost): readonly VmmError[] {
	if ('module' in handle) return [];
	const {kind, name = kind, options = {}} = handle;
	const type = registry.findType(kind);
	if (type === undefined || type.machineOnly !== undefined) return [configError('CONFIG_DEVICE_KIND', {kind})];
	const {options: table = {}} = type;
	const {values, problems} = readOptions(table, options, name);
	return [...problems, ...hostProblems(table, values, name, host)];
}
