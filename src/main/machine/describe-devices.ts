import {resolve} from 'node:path';
import {pathToFileURL} from 'node:url';
import type {DeviceInstance} from '#devices/device';
import {
	type AnyDeviceType,
	type DeviceHandle,
	DeviceNames,
	type MachineFacts,
	type ModuleHandle,
} from '#devices/device-type';
import type {MemoryRange} from '#devices/guest-memory';
import {isFunctionModel} from '#devices/pci/function';
import type {LoadedTypes} from '#devices/registry';
import {configError, type VmConfig} from '#main/config';
import {errorTable, VmmError} from '#support/errors';
import {completeOptions, detachOptions, guestOptions, type RawOptions} from '#support/options';
import type {KeepObject, ProgramHandle} from '#support/rpc';
import {chipset} from './chipset.ts';

const deviceError = errorTable({
	DEVICE_OPTIONS_REFUSED: (c: {device: string; cause: string}) => ({
		message: `The device ${c.device} refuses its options: ${c.cause}`,
		remedy: 'Give options that it knows: --device PATH,KEY=VALUE',
	}),
	DEVICE_FUNCTION_IMPOSSIBLE: (c: {device: string; number: string}) => ({
		message: `The device ${c.device} cannot be function ${c.number}`,
		remedy: 'A slot has the functions 0 to 7: --device PATH,port=NAME,function=1',
	}),
});

const isModule = (handle: DeviceHandle): handle is ModuleHandle => 'module' in handle;

const urlOf = ({module}: ModuleHandle) => pathToFileURL(resolve(module)).href;

/** File URLs of the modules that a configuration names. */
export const deviceModuleUrls = ({devices}: Pick<VmConfig, 'devices'>): string[] => devices.filter(isModule).map(urlOf);

/** Facts that a machine has by chance: where and when it was made. */
export interface MachineBirth {
	/** Wall-clock time, milliseconds since 1970. */
	readonly timeMs: number;
	/** 16 random bytes in hexadecimal. */
	readonly generationId: string;
	/** Keeps what is the program's in options; without it nobody can call that. */
	readonly keep?: KeepObject;
}

/** The devices of a machine that are not of PCI Express, and what those that come later may know of it. */
export interface DescribedDevices {
	readonly devices: readonly DeviceInstance[];
	readonly facts: MachineFacts;
}

/**
 * Describes the devices that a machine has without being asked, and those that its configuration asks for. One without a name
 * is called after its kind, numbered from the second on.
 * @throws VmmError with a `CONFIG_` code, DEVICE_FUNCTION_IMPOSSIBLE, or DEVICE_OPTIONS_REFUSED for options that a device does not take
 */
export function describeDevices(
	{irqchip, devices, boot}: Pick<VmConfig, 'irqchip' | 'devices' | 'boot'>,
	ram: readonly MemoryRange[],
	{timeMs, generationId, keep = unkept}: MachineBirth,
	types: LoadedTypes,
): DescribedDevices {
	const handles = withTypes([...chipset({irqchip}), ...devices], types);
	const kinds = new Set(handles.map(([, {kind}]) => kind));
	const hasSystem = boot.kind === 'linux' || boot.kind === 'none';
	const facts: MachineFacts = {ram, bornMs: timeMs, generationId, hasSystem, has: (kind) => kinds.has(kind)};
	const names = new DeviceNames();
	return {devices: handles.map(([handle, type]) => describeDevice(handle, type, {facts, names, keep})), facts};
}

/** Describes a device that comes to a machine, called as if it were alone. @throws as {@link describeDevices} */
export function describeComing(
	handle: DeviceHandle,
	facts: MachineFacts,
	types: LoadedTypes,
	keep: KeepObject = unkept,
): DeviceInstance {
	const [[, type]] = withTypes([handle], types) as [TypedHandle];
	return describeDevice(handle, type, {facts, names: new DeviceNames(), keep});
}

type TypedHandle = readonly [DeviceHandle, AnyDeviceType];

function withTypes(handles: readonly DeviceHandle[], {findType, own}: LoadedTypes): TypedHandle[] {
	let modules = 0;
	return handles.map((handle) => {
		const type = isModule(handle) ? own[modules++] : findType(handle.kind);
		if (type !== undefined) return [handle, type];
		throw configError('CONFIG_DEVICE_KIND', {kind: isModule(handle) ? handle.module : handle.kind});
	});
}

/** What stands for an object that nobody keeps. */
const unkept: KeepObject = () => ({programObject: 0});

function describeDevice(
	handle: DeviceHandle,
	type: AnyDeviceType,
	{facts, names, keep}: {facts: MachineFacts; names: DeviceNames; keep: KeepObject},
): DeviceInstance {
	const {kind, options: table = {}} = type;
	const of = handle.name ?? (isModule(handle) ? handle.module : kind);
	const {place, given} = placeOf(handle, type, of);
	const programObjects: ProgramHandle[] = [];
	const options = detachOptions(table, completeOptions(table, given, of), (object) => {
		const handle = keep(object);
		programObjects.push(handle);
		return handle;
	});
	return {
		name: names.next(type.defaultName?.(options) ?? kind, handle.name),
		kind,
		config: configure(type, options, facts, of),
		options: guestOptions(table, options),
		...(place && {place}),
		...(programObjects.length > 0 && {programObjects}),
	};
}

/**
 * To a PCI function the option `port` is the one that it sits in, and `function` its number there; to any other device they are
 * options like all others.
 */
function placeOf(handle: DeviceHandle, type: AnyDeviceType, of: string) {
	const {port, function: number, options = {}} = handle;
	if (!isFunctionModel(type))
		return {given: options, ...(port !== undefined && {place: {on: port, devfn: number ?? 0}})};
	const isOwn = (key: string) => type.options?.[key] !== undefined;
	const places = {
		port: isOwn('port') ? undefined : options['port'],
		function: isOwn('function') ? undefined : options['function'],
	};
	const given = Object.fromEntries(Object.entries(options).filter(([key]) => isOwn(key) || !(key in places)));
	const on = port ?? places.port;
	if (typeof on !== 'string') return {given};
	const words = `${number ?? places.function ?? 0}`;
	if (!/^[0-7]$/.test(words)) throw deviceError('DEVICE_FUNCTION_IMPOSSIBLE', {device: of, number: words});
	return {given, place: {on, devfn: Number(words)}};
}

function configure(type: AnyDeviceType, options: RawOptions, machine: MachineFacts, device: string): unknown {
	try {
		return type.configure === undefined ? options : type.configure(options, machine);
	} catch (error) {
		if (error instanceof VmmError) throw error;
		throw deviceError('DEVICE_OPTIONS_REFUSED', {
			device,
			cause: error instanceof Error ? error.message : String(error),
		});
	}
}
