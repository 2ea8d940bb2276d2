import {type AnyDeviceType, type DeviceHandle, DeviceNames} from '#devices/device-type';
import type {DeviceRegistry} from '#devices/registry';
import {readOptions} from '#support/options';

/**
 * Devices as a complete configuration has them: each with a name, and its options as values, defaults included. What is wrong
 * stays for `checkConfig` to tell, and what a module wants to know is known when it is loaded.
 */
export function completeDevices(devices: readonly DeviceHandle[], registry: DeviceRegistry): readonly DeviceHandle[] {
	return namedDevices(devices, registry).map(([name, handle]) => {
		const type = 'kind' in handle ? registry.findType(handle.kind) : undefined;
		if (type === undefined) return handle;
		const {values, problems} = readOptions(type.options ?? {}, handle.options ?? {}, name);
		return {...handle, name, ...(problems.length === 0 && {options: values})};
	});
}

/**
 * Devices with the names that they get.
 * @param own - types of the modules among them, in their order; without it such a module's device is called after its path
 */
export function namedDevices(
	devices: readonly DeviceHandle[],
	registry: DeviceRegistry,
	own: readonly AnyDeviceType[] = [],
): [string, DeviceHandle][] {
	const names = new DeviceNames();
	let modules = 0;
	return devices.map((handle) => {
		const isModule = 'module' in handle;
		const type = isModule ? own[modules++] : registry.findType(handle.kind);
		const usual = type?.kind ?? (isModule ? handle.module : handle.kind);
		const {values, problems} = readOptions(type?.options ?? {}, handle.options ?? {}, usual);
		const special = problems.length === 0 ? type?.defaultName?.(values) : undefined;
		return [names.next(special ?? usual, handle.name), handle];
	});
}
