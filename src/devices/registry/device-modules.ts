import type {AnyDeviceType, DeclaredType} from '#devices/device-type';
import {errorTable} from '#support/errors';
import {isOptionTable} from '#support/options';
import {programLoader} from '#support/program';
import {answerableType, answerOf, causeOf} from './answerable-type.ts';
import {completeType, type DeviceRegistry, deviceRegistry} from './registry.ts';

const moduleError = errorTable({
	DEVICE_MODULE_UNLOADABLE: (c: {module: string; cause: string}) => ({
		message: `The device module ${c.module} cannot be loaded: ${c.cause}`,
		remedy:
			'Give the path of a module: .mjs or .mts, or .js or .ts where package.json says "type": "module"; types must be such as can be stripped. openvmm itself is looked for from its folder upwards: npm install openvmm there',
	}),
	DEVICE_MODULE_WRONG: (c: {module: string; lack: string}) => ({
		message: `The device module ${c.module} has no device type that can be used as its default export: ${c.lack}`,
		remedy: 'The guide shows how to write one: "Devices", "A device of your own"',
	}),
	DEVICE_KIND_TAKEN: (c: {module: string; kind: string}) => ({
		message: `The device module ${c.module} defines the kind ${c.kind}, which exists already`,
		remedy: 'Give the kind another name',
	}),
});

/** The registry with the types of the given modules. */
export interface LoadedTypes extends Pick<DeviceRegistry, 'findModel' | 'findType' | 'types'> {
	/** The modules' own types, in the order of the modules. */
	readonly own: readonly AnyDeviceType[];
}

/**
 * Loads the types of a user's own devices, on the calling thread. A module's default export is a `DeviceType`.
 * @param modules - file URLs; one that is given twice is loaded once
 * @throws VmmError DEVICE_MODULE_UNLOADABLE, DEVICE_MODULE_WRONG, DEVICE_MODULE_FAILED, DEVICE_KIND_TAKEN
 */
export async function loadDeviceModels(
	modules: readonly string[],
	registry: DeviceRegistry = deviceRegistry,
): Promise<LoadedTypes> {
	const byKind = new Map<string, AnyDeviceType>();
	const byModule = new Map<string, AnyDeviceType>();
	const own: AnyDeviceType[] = [];
	for (const module of modules) {
		const type = byModule.get(module) ?? (await loadType(module));
		byModule.set(module, type);
		const {kind} = type;
		if (registry.findType(kind) !== undefined || (byKind.get(kind) ?? type) !== type)
			throw moduleError('DEVICE_KIND_TAKEN', {module, kind});
		byKind.set(kind, type);
		own.push(type);
	}
	const findType = (kind: string) => byKind.get(kind) ?? registry.findType(kind);
	return {types: [...registry.types, ...byKind.values()], findType, findModel: findType, own};
}

async function loadType(module: string): Promise<AnyDeviceType> {
	let type: unknown;
	try {
		type = ((await programLoader.importModule(module)) as {default?: unknown}).default;
	} catch (error) {
		throw moduleError('DEVICE_MODULE_UNLOADABLE', {module, cause: causeOf(error)});
	}
	const lack = whatLacks(type);
	if (lack !== undefined) throw moduleError('DEVICE_MODULE_WRONG', {module, lack});
	return answerableType(
		module,
		answerOf(module, 'attach', () => completeType(type as DeclaredType)),
	);
}

/** Names the first part of a type that is not there; what the parts do is the module's own business. */
function whatLacks(given: unknown): string | undefined {
	if (typeof given !== 'object' || given === null) return 'there is no object';
	const type = given as Readonly<Record<string, unknown>>;
	const {kind, attach, acpi, smbios, words, options = {}} = type;
	if (typeof kind !== 'string' || !/^[a-z][a-z0-9-]*$/.test(kind)) return '"kind" is no name in lower case';
	if (!isOptionTable(options)) return '"options" is no table of options by name, each with a type and a help text';
	for (const [name, part] of Object.entries({acpi, smbios, words}))
		if (part !== undefined && typeof part !== 'function') return `"${name}" is no function`;
	return whatAttachmentLacks(attach) ?? ('owned' in type ? whatOwnedLacks(type) : whatSharedLacks(type));
}

function whatSharedLacks({state, front}: Readonly<Record<string, unknown>>): string | undefined {
	if (!isStruct(state)) return '"state" is no shared struct, as "wire" makes them';
	return typeof front === 'function' ? undefined : '"front" is no function';
}

/** It may come of another copy of this program. */
const isStruct = (state: unknown): boolean =>
	typeof state === 'object' &&
	state !== null &&
	'byteLength' in state &&
	Number.isSafeInteger(state.byteLength) &&
	['on', 'reset', 'decode'].every((name) => typeof (state as Readonly<Record<string, unknown>>)[name] === 'function');

function whatOwnedLacks({owned, attach, ...others}: Readonly<Record<string, unknown>>): string | undefined {
	const shared = ['state', 'versions', 'front', 'back', 'words'].find((name) => others[name] !== undefined);
	if (shared === 'words') return '"words" is of no use to "owned": its "inspect" tells what there is';
	if (shared !== undefined) return `"${shared}" is of no use to "owned"`;
	if (typeof owned !== 'object' || owned === null) return '"owned" is no object';
	const {version, mostBytes, make} = owned as Record<string, unknown>;
	for (const [name, number] of Object.entries({version, mostBytes}))
		if (!Number.isSafeInteger(number) || (number as number) < 1) return `"${name}" of "owned" is no number from 1`;
	if (typeof make !== 'function') return '"make" of "owned" is no function';
	return 'pciHost' in (attach as object) ? '"pciHost" of "attach" cannot be owned' : undefined;
}

function whatAttachmentLacks(attach: unknown): string | undefined {
	if (typeof attach !== 'object' || attach === null) return '"attach" does not say what the device attaches to';
	const {pci, pciHost, regions, ...others} = attach as Record<string, unknown>;
	const [unknown] = Object.keys(others);
	if (unknown !== undefined) return `"attach" has "${unknown}", and there are "regions", "pci" and "pciHost"`;
	for (const [name, declared] of Object.entries({regions, pciHost}))
		if (declared !== undefined && typeof declared !== 'function') return `"${name}" of "attach" is no function`;
	if (pciHost !== undefined && (pci ?? regions) !== undefined) return '"attach" has "pciHost", which stands alone';
	if (pci !== undefined) return typeof pci === 'object' && pci !== null ? undefined : '"pci" of "attach" is no object';
	return (regions ?? pciHost) === undefined ? '"attach" has none of "regions", "pci" and "pciHost"' : undefined;
}
