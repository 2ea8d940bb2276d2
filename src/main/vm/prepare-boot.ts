import {existsSync} from 'node:fs';
import {basename} from 'node:path';
import {fileURLToPath} from 'node:url';
import {serial16550Kind} from '#devices/chipset/serial-16550';
import type {DeviceInstance} from '#devices/device';
import type {AnyDeviceType} from '#devices/device-type';
import {type AcpiInitiator, buildAcpiTables} from '#main/acpi';
import {buildBiosArea} from '#main/bios';
import {linuxDefaultWords, moduleFiles, type VmConfig} from '#main/config';
import type {BootImage, LoadRequest} from '#main/loader';
import {loadKernel} from '#main/loader';
import {deviceTables} from '#main/machine';
import {hostBridges} from '#main/pcie';
import {buildSmbiosTables} from '#main/smbios';
import type {MemoryLayout, ProcessorTopology} from '#main/topology';
import {embeddedGuest} from '#main/workers';
import {errorTable} from '#support/errors';
import type {BootFiles} from './boot-files.ts';
import {describeNuma} from './describe-numa.ts';

const bootError = errorTable({
	BOOT_NOTHING: (_: Record<never, never>) => ({
		message: 'The machine has nothing to start from: it was restored from a snapshot without a kernel',
		remedy: 'Restore it with the kernel it was started with (--kernel, --initrd, --cmdline), so that it can be reset',
	}),
	BOOT_GUEST_NOT_BUILT: ({path}: {path: string}) => ({
		message: `The embedded guest is not there: ${path}`,
		remedy: 'Run npm run build in a checkout, or install the package again; or boot another kernel (--kernel)',
	}),
});

/** Files of what a machine starts, read. */
type KernelFiles = Omit<LoadRequest, 'machine'>;

/** Reads what the configuration boots. @throws BOOT_NOTHING, BOOT_GUEST_NOT_BUILT, and what {@link BootFiles} throws */
export async function readKernel(config: VmConfig, bootFiles: BootFiles): Promise<KernelFiles> {
	const {boot, memory} = config;
	const read = (path: string | URL) => bootFiles.read(path, memory.sizeBytes);
	if (boot.kind === 'embedded') {
		return {kernel: await embeddedKernel(read), commandLine: boot.commandLine.join(' '), format: 'pvh'};
	}
	if (boot.kind === 'none') throw bootError('BOOT_NOTHING', {});
	if (boot.kind === 'flat') {
		const {address, mode} = boot;
		return {kernel: await read(boot.image), commandLine: '', format: {flat: {address, mode}}};
	}
	const files = boot.initrd === undefined ? [] : moduleFiles(boot.initrd, existsSync);
	const [kernel, modules] = await Promise.all([
		bootFiles.readKernel(boot.kernel, memory.sizeBytes),
		Promise.all(files.map(async ({path, words}) => ({data: await read(path), name: basename(path), words}))),
	]);
	return {
		kernel,
		modules,
		commandLine: boot.commandLine.join(' '),
		firstWords: {linux: linuxDefaultWords(config), other: [basename(boot.kernel)]},
	};
}

/** The build has assembled it: the package has the file, a checkout has it once it has been built. */
async function embeddedKernel(read: (path: URL) => Promise<Uint8Array>): Promise<Uint8Array> {
	if (!existsSync(embeddedGuest)) throw bootError('BOOT_GUEST_NOT_BUILT', {path: fileURLToPath(embeddedGuest)});
	return read(embeddedGuest);
}

/** The machine that the firmware tables describe. */
export interface BootMachine {
	readonly topology: ProcessorTopology;
	readonly layout: MemoryLayout;
	readonly devices: readonly DeviceInstance[];
	/** Theirs, and maybe more. */
	readonly types: readonly AnyDeviceType[];
	/** Generic initiators by their addresses at power-on. */
	readonly initiators: readonly AcpiInitiator[];
}

/** Puts kernel and firmware tables together. @throws VmmError for whatever is wrong with the kernel */
export function prepareBoot(
	files: KernelFiles,
	config: VmConfig,
	{topology, layout, devices, types, initiators}: BootMachine,
): BootImage {
	const hasSerial = devices.some(({kind}) => kind === serial16550Kind);
	const bridges = hostBridges(devices, initiators);
	const numa = describeNuma(config, topology, layout, initiators);
	const tables = deviceTables(devices, types);
	const acpi = buildAcpiTables({topology, devices: tables.acpi, hostBridges: bridges, ...(numa && {numa})});
	const smbios = buildSmbiosTables(acpi.end, tables.smbios);
	const reserved = [
		...acpi.reserved,
		...smbios.reserved,
		// Guests trust configuration space that the memory map reserves too.
		...bridges.map(({ecam}) => ({...ecam, kind: 'reserved' as const})),
	];
	const image = loadKernel({...files, machine: {ram: layout.ram, reserved, rsdp: acpi.rsdp}});
	return {pieces: [...image.pieces, ...buildBiosArea(hasSerial), ...acpi.pieces, ...smbios.pieces], entry: image.entry};
}
