import type {AnyDeviceModel, DeviceInstance} from '#devices/device';
import {planResources, type Shortage} from '#devices/pci/assignment';
import {ConfigSpace, configBytes} from '#devices/pci/config-space';
import {connect, type DescribedDevice, type FabricComplex, type PlacedFunction} from '#devices/pci/fabric';
import {isFunctionModel} from '#devices/pci/function';
import {type RootComplexConfig, rootComplexKind} from '#devices/pci/root-complex';

/** A device, and the bytes of its configuration space where it is a function. */
export interface DeviceWithSpace {
	readonly instance: DeviceInstance;
	readonly model: AnyDeviceModel;
	readonly space: Uint8Array;
	isResetting(): boolean;
	hasZeros(): boolean;
}

/** The root complexes among a machine's devices, with the functions behind them. */
export function complexesOf(devices: readonly DeviceWithSpace[]): readonly FabricComplex[] {
	const complexes = devices.flatMap(({instance: {name, kind, config}}, device) =>
		kind === rootComplexKind ? [{device, name, config: config as RootComplexConfig}] : [],
	);
	if (complexes.length === 0) return [];
	const functions = devices.flatMap(({instance, model, space, isResetting, hasZeros}, device): PlacedFunction[] => {
		const {name, place, config} = instance;
		if (place === undefined || !isFunctionModel(model)) return [];
		const design = model.design(config);
		return [{device, name, place, design, space: new ConfigSpace(design.layout, space), isResetting, hasZeros}];
	});
	return connect(complexes, functions);
}

/** Lists the addresses and buses that these devices lack when they are reset; empty where all of them fit. */
export function shortagesOf(devices: readonly DescribedDevice[]): readonly Shortage[] {
	// The guest's changes of the functions do not count: a reset begins anew.
	const blank = {space: new Uint8Array(configBytes), isResetting: () => false, hasZeros: () => false};
	const complexes = complexesOf(devices.map((each) => ({...each, ...blank})));
	return complexes.flatMap((complex) => planResources(complex).shortages);
}
