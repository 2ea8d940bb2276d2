import type {AnyDeviceModel, DeclaredModel} from '#devices/device';
import {completeModel} from '#devices/pci/function';
import {errorTable} from '#support/errors';
import {findDeviceModel} from './registry.ts';

const moduleError = errorTable({
	DEVICE_MODULE_UNLOADABLE: (c: {module: string; cause: string}) => ({
		message: `The device module ${c.module} cannot be loaded: ${c.cause}`,
		remedy:
			'Give the path of a module: .mjs or .mts, or .js or .ts where package.json says "type": "module"; types must be such as can be stripped',
	}),
	DEVICE_MODULE_WRONG: (c: {module: string; lack: string}) => ({
		message: `The device module ${c.module} has no device model as its default export: ${c.lack}`,
		remedy: 'The guide shows how to write one: "Writing a device"',
	}),
	DEVICE_KIND_TAKEN: (c: {module: string; kind: string}) => ({
		message: `The device module ${c.module} defines the kind ${c.kind}, which exists already`,
		remedy: 'Give the kind another name',
	}),
});

/** Finds models by kind: those of this program, and those of the given modules. */
export interface LoadedModels {
	findModel(kind: string): AnyDeviceModel | undefined;
	/** The modules' own models, in the order of the modules. */
	readonly own: readonly AnyDeviceModel[];
}

/**
 * Loads the models of a user's own devices, on the calling thread. A module's default export is a `DeviceModel`.
 * @param modules - file URLs; one that is given twice is loaded once
 * @throws VmmError DEVICE_MODULE_UNLOADABLE, DEVICE_MODULE_WRONG, DEVICE_KIND_TAKEN
 */
export async function loadDeviceModels(modules: readonly string[]): Promise<LoadedModels> {
	const byKind = new Map<string, AnyDeviceModel>();
	const byModule = new Map<string, AnyDeviceModel>();
	const own: AnyDeviceModel[] = [];
	for (const module of modules) {
		const model = byModule.get(module) ?? (await loadModel(module));
		byModule.set(module, model);
		const {kind} = model;
		if (findDeviceModel(kind) !== undefined || (byKind.get(kind) ?? model) !== model)
			throw moduleError('DEVICE_KIND_TAKEN', {module, kind});
		byKind.set(kind, model);
		own.push(model);
	}
	return {findModel: (kind) => byKind.get(kind) ?? findDeviceModel(kind), own};
}

async function loadModel(module: string): Promise<AnyDeviceModel> {
	let model: unknown;
	try {
		model = ((await import(module)) as {default?: unknown}).default;
	} catch (error) {
		const cause = error instanceof Error ? error.message : String(error);
		throw moduleError('DEVICE_MODULE_UNLOADABLE', {module, cause});
	}
	const lack = whatLacks(model);
	if (lack !== undefined) throw moduleError('DEVICE_MODULE_WRONG', {module, lack});
	return completeModel(model as DeclaredModel);
}

/** Names the first part of a model that is not there; what the parts do is the module's own business. */
function whatLacks(model: unknown): string | undefined {
	if (typeof model !== 'object' || model === null) return 'there is no object';
	const {kind, state, pci, regions, front} = model as Record<string, unknown>;
	if (typeof kind !== 'string' || !/^[a-z][a-z0-9-]*$/.test(kind)) return '"kind" is no name in lower case';
	if (typeof state !== 'object' || state === null || !('byteLength' in state)) return '"state" is no shared struct';
	if (typeof regions !== 'function' && (pci === undefined || regions !== undefined))
		return '"regions" is no function, and only a PCI function ("pci") may lack it';
	return typeof front === 'function' ? undefined : '"front" is no function';
}
