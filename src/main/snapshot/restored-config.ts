import type {AnyDeviceType, DeviceHandle} from '#devices/device-type';
import {type DeviceRegistry, deviceRegistry, loadDeviceModels} from '#devices/registry';
import {namedDevices, pcieNames, type VmConfig, type VmOptions, vmConfig} from '#main/config';
import {chipsetNames, deviceModuleUrls} from '#main/machine';
import {missingHostOptions, wrongGuestOption} from '#support/options';
import type {AskedMachine} from './asked-machine.ts';
import {snapshotError} from './errors.ts';
import {snapshotFiles} from './files.ts';
import type {OpenSnapshot} from './open-snapshot.ts';
import {printable} from './printable.ts';

/**
 * The configuration of a machine that goes on from a snapshot: as it was saved, and with what is the host's given again. Options
 * of a device go to the one of that name. What shapes the machine need not be given again, and has to be the same if it is.
 * @throws VmmError SNAPSHOT_DEVICE_MISSING for a device whose module is not given; what loading a module throws
 */
export async function restoredConfig(
	{directory, manifest}: Pick<OpenSnapshot, 'directory' | 'manifest'>,
	options: VmOptions = {},
	registry: DeviceRegistry = deviceRegistry,
): Promise<VmConfig> {
	const {asked, boot, cpu} = manifest;
	const {processors: count, topology, memoryBytes, irqchip, numa, pcie} = asked;
	const {own} = await loadDeviceModels(deviceModuleUrls({devices: options.devices ?? []}), registry);
	const embedded = {kind: 'embedded', commandLine: boot.commandLine ?? []} as const;
	return vmConfig(
		{
			...(numa && {numa: askedNuma(numa)}),
			...(pcie && {pcie}),
			boot: boot.kind === 'embedded' ? embedded : {kind: 'none'},
			cpu,
			irqchip,
			...options,
			processors: {...topology, count, ...options.processors},
			memory: {...(numa === undefined && {sizeBytes: memoryBytes}), ...options.memory},
			devices: restoredDevices(directory, asked, options, registry, own),
		},
		registry,
	);
}

/**
 * Checks that a machine of {@link restoredConfig} was given all that devices of the snapshot have to have of their host. One by one, `checkConfig` says the same
 * of each, and not that it was the same machine's.
 * @throws VmmError SNAPSHOT_HOST_SIDE_MISSING
 */
export function checkGivenAgain(
	{directory, manifest}: Pick<OpenSnapshot, 'directory' | 'manifest'>,
	{devices}: Pick<VmConfig, 'devices'>,
	registry: DeviceRegistry = deviceRegistry,
): void {
	const missing = devices.flatMap(({name = '', options = {}, ...handle}) => {
		const type = 'kind' in handle && manifest.asked.devices.has(name) ? registry.findType(handle.kind) : undefined;
		const open = type === undefined ? [] : missingHostOptions(type.options ?? {}, options);
		return open.length === 0 ? [] : [`${name} (${open.join(', ')})`];
	});
	if (missing.length > 0) throw snapshotError('SNAPSHOT_HOST_SIDE_MISSING', {directory, missing});
}

const askedNuma = ({nodes, distances}: NonNullable<AskedMachine['numa']>) => ({
	nodes: nodes.map(({bytes, vps}) => ({memory: {sizeBytes: bytes}, ...(vps && {vps})})),
	distances,
});

/** The devices that were saved, in their order, with what is given of each; and those that were not there, for comparison to tell. */
function restoredDevices(
	directory: string,
	{irqchip, pcie, devices}: AskedMachine,
	{devices: given = []}: VmOptions,
	registry: DeviceRegistry,
	own: readonly AnyDeviceType[],
): DeviceHandle[] {
	const ofMachine = new Set([...chipsetNames({irqchip}), ...(pcie ? pcieNames(pcie) : [])]);
	const again = new Map(namedDevices(given, registry, own));
	const restored = [...devices]
		.filter(([name]) => !ofMachine.has(name))
		.map(([name, {kind, options, place}]): DeviceHandle => {
			const handle = again.get(name);
			const isPlaced = place !== undefined && handle?.options?.['port'] === undefined;
			const saved = {name, options, ...(isPlaced && {port: place.on, function: place.devfn})};
			again.delete(name);
			const type = registry.findType(kind) ?? own.find((candidate) => candidate.kind === kind);
			const wrong = type && wrongGuestOption(type.options ?? {}, options);
			if (wrong !== undefined) throw damaged(directory, `devices.${name}.options.${wrong}`);
			if (handle !== undefined) return {...saved, ...handle, options: {...options, ...handle.options}};
			if (type !== undefined) return {...saved, kind};
			throw snapshotError('SNAPSHOT_DEVICE_MISSING', {directory, name, kind});
		});
	return [...restored, ...again.values()];
}

const damaged = (directory: string, field: string) =>
	snapshotError('SNAPSHOT_DAMAGED', {
		directory,
		file: snapshotFiles.manifest,
		cause: `has no usable machine.${printable(field)}`,
	});
