import type {DeviceInstance, Region} from '#devices/device';
import type {DescribedDevice} from '#devices/pci/fabric';
import {intxLine} from '#devices/pci/function';
import type {DeviceInputNumbers} from './line-inputs.ts';

/** Shape of a device that a guest can tell, as plain data, beside the device's state. */
export interface DeviceShape extends Pick<DeviceInstance, 'kind' | 'place'> {
	/** See `DeviceType.options`. */
	readonly options: Readonly<Record<string, unknown>>;
	readonly regions: readonly Region[];
	/** Inputs of the interrupt controller by line. */
	readonly lines: Readonly<Record<string, number>>;
	/** Interrupt inputs that lead to the device. */
	readonly inputs: Readonly<Record<string, number>>;
}

/**
 * The shape of a device. Regions and lines are the model's answer, which may change while a configuration does not.
 * @param lines - see `lineInputs`
 */
export function deviceShape({instance, model}: DescribedDevice, lines: DeviceInputNumbers = {}): DeviceShape {
	const {kind, place, config, options = {}} = instance;
	return {
		kind,
		...(place && {place}),
		options,
		regions: model.regions(config),
		// The place decides where INTA leads.
		lines: Object.fromEntries(Object.entries(lines).filter(([name]) => place === undefined || name !== intxLine)),
		inputs: model.inputs?.(config) ?? {},
	};
}
