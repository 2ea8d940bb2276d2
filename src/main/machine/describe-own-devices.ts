import {resolve} from 'node:path';
import {pathToFileURL} from 'node:url';
import type {AnyDeviceModel, DeviceInstance} from '#devices/device';
import {isFunctionModel} from '#devices/pci/function';
import type {DeviceModuleConfig, VmConfig} from '#main/config';
import {errorTable, VmmError} from '#support/errors';

const deviceError = errorTable({
	DEVICE_OPTIONS_REFUSED: (c: {module: string; cause: string}) => ({
		message: `The device of ${c.module} refuses its options: ${c.cause}`,
		remedy: 'Give options that it knows: --device PATH,KEY=VALUE',
	}),
	DEVICE_FUNCTION_IMPOSSIBLE: (c: {module: string; number: string}) => ({
		message: `The device of ${c.module} cannot be function ${c.number}`,
		remedy: 'A slot has the functions 0 to 7: --device PATH,port=NAME,function=1',
	}),
});

/** File URLs of the modules that a configuration names. */
export const deviceModuleUrls = ({deviceModules = []}: VmConfig): string[] =>
	deviceModules.map(({path}) => pathToFileURL(resolve(path)).href);

/**
 * Lists the devices of a user's own. A name that is not given is the kind, numbered from the second on.
 * @param models - of the configured modules, in their order
 * @throws VmmError DEVICE_FUNCTION_IMPOSSIBLE, and DEVICE_OPTIONS_REFUSED for what a model does not take
 */
export function describeOwnDevices(
	{deviceModules = []}: Pick<VmConfig, 'deviceModules'>,
	models: readonly AnyDeviceModel[],
): DeviceInstance[] {
	const ofKind = new Map<string, number>();
	return deviceModules.map((module, index) => {
		const model = models[index] as AnyDeviceModel;
		const {kind} = model;
		const number = (ofKind.get(kind) ?? 0) + 1;
		ofKind.set(kind, number);
		const name = module.name ?? (number === 1 ? kind : `${kind}-${number}`);
		const {place, options} = placeOf(model, module);
		return {name, kind, config: configure(model, {...module, options}), route: module.route, ...(place && {place})};
	});
}

/**
 * To a PCI function `port` is the one that it sits in, and `function` its number there; to any other device they are options
 * like all others.
 */
function placeOf(model: AnyDeviceModel, {path, options}: DeviceModuleConfig) {
	const {port: on, function: number = '0', ...others} = options;
	if (!isFunctionModel(model) || on === undefined) return {options};
	if (!/^[0-7]$/.test(number)) throw deviceError('DEVICE_FUNCTION_IMPOSSIBLE', {module: path, number});
	return {options: others, place: {on, devfn: Number(number)}};
}

function configure(model: AnyDeviceModel, {path, options}: DeviceModuleConfig): unknown {
	try {
		return model.configure?.(options) ?? options;
	} catch (error) {
		if (error instanceof VmmError) throw error;
		throw deviceError('DEVICE_OPTIONS_REFUSED', {
			module: path,
			cause: error instanceof Error ? error.message : String(error),
		});
	}
}
