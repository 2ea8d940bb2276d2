import {randomBytes} from 'node:crypto';
import {appendFile, copyFile, readFile, stat} from 'node:fs/promises';
import {serialPorts} from '#devices/chipset/serial-16550';
import type {DeviceHandle, KindHandle} from '#devices/device-type';
import {virtioBlkId, virtioBlkKind} from '#devices/virtio/blk';
import {type ConsolePortConfig, virtioConsoleId, virtioConsoleKind} from '#devices/virtio/console';
import {virtioFsId, virtioFsKind} from '#devices/virtio/fs';
import {virtioVsockId, virtioVsockKind} from '#devices/virtio/vsock';
import {agentPortName} from '#main/agent';
import type {BootConfig, VmOptions} from '#main/config';
import type {KernelRequest} from '#main/guest-kernel';
import type {ImageConfig, OpenedImage} from '#main/oci';
import {parseSize} from '#support/options';
import {diskDevices} from './disks.ts';
import {apiError} from './errors.ts';
import {withFolderPorts} from './folder-ports.ts';
import type {MachineConsole} from './guest-console.ts';
import type {MachineFolder} from './machine-folder.ts';
import {nicFor} from './network.ts';
import type {CreateVmOptions, HostChoices} from './options.ts';
import {ownDevice} from './own-device.ts';
import {agentWay} from './reach-agent.ts';
import {folderDevices, type SavedDevices} from './shared-folders.ts';

/** Address of every guest's sockets: each has a socket of the host's own. */
const guestAddress = 3;

/** What a machine is made of, beside its boot. */
export interface HostParts {
	readonly devices: readonly DeviceHandle[];
	/** What the image says of the commands in it. */
	readonly image: ImageConfig | undefined;
}

/** The machine's name. @throws VmmError VM_OPTION_INVALID */
export function nameOf({name}: Pick<HostChoices, 'name'>): string {
	if (name === undefined) return `vm-${randomBytes(3).toString('hex')}`;
	if (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) return name;
	const expected = 'lower-case letters, digits and dashes, 63 at most';
	throw apiError('VM_OPTION_INVALID', {option: 'name', value: JSON.stringify(name), expected});
}

/** What a machine has of its host. */
export interface HostPlace {
	readonly name: string;
	readonly folder: MachineFolder;
	readonly image: OpenedImage | undefined;
	readonly guestConsole: MachineConsole;
	/** Devices of the machine that it goes on from. */
	readonly saved?: SavedDevices;
}

/** Makes ready what a machine has of its host: its root, its sockets, its network. @throws VmmError */
export async function hostParts(
	choices: CreateVmOptions,
	{name, folder, image, guestConsole, saved}: HostPlace,
): Promise<HostParts> {
	const {network = true, writable = false, disks = [], folders = {}, devices = []} = choices;
	const nic = nicFor(network, name);
	const root = image && rootDevice(image, writable);
	return {
		devices: [
			...serialPorts({com1: {kind: 'console', outputFd: guestConsole.outputFd}}),
			ownDevice(virtioVsockKind, virtioVsockId, 'vsock', {path: folder.sockets, cid: guestAddress}),
			...(agentWay(choices) === 'console' ? [agentConsole(folder)] : []),
			...(root === undefined ? [] : [root]),
			...diskDevices(disks, root === undefined || image?.kind === 'folder' ? 0 : 1),
			...(nic === undefined ? [] : [nic]),
			...folderDevices(folders, image?.kind === 'folder' ? 1 : 0, saved),
			...devices,
		],
		image: image !== undefined && 'config' in image ? image.config : undefined,
	};
}

/** A channel for the agent, in place of virtio sockets. */
const agentConsole = ({agentPort: path}: MachineFolder): KindHandle => {
	const port: ConsolePortConfig = {name: agentPortName, console: false, backend: {kind: 'listen-unix', path}};
	return ownDevice(virtioConsoleKind, virtioConsoleId, 'agent', {ports: [port]});
};

/** Opens what the root is made of, if it is anything. @throws VmmError */
export async function openRoot({image, signal, progress}: HostChoices): Promise<OpenedImage | undefined> {
	if (image === undefined) return undefined;
	progress?.('image', 0, 0);
	const operation = {
		signal,
		progress: (part: string, done: number, total: number) => progress?.('image', done, total, part),
	};
	if (typeof image === 'object' && 'packages' in image) {
		const {openPackages} = await import('#main/package-root');
		return openPackages(image, operation);
	}
	const {openImage} = await import('#main/oci');
	return openImage(typeof image === 'string' ? {image} : image, operation);
}

/** The tag of a folder that is the root, which is its device's name too, as it is that of a disk. */
export const rootName = 'root';

/** What the guest's root is. A folder that is shared is the program's own, as a disk is; what was made of an image is everybody's. */
function rootDevice(image: OpenedImage, writable: boolean): KindHandle {
	if (image.kind === 'folder') {
		const options = {folder: image.path, tag: rootName, readOnly: !writable};
		return ownDevice(virtioFsKind, virtioFsId, rootName, options);
	}
	const isOwn = writable && image.kind === 'disk';
	if (writable && !isOwn) {
		const expected =
			'a disk of your own as image, or a folder that is shared; what is made of an image is everybody’s, and stays as it is';
		throw apiError('VM_OPTION_INVALID', {option: 'writable', value: 'true', expected});
	}
	const format = 'format' in image && image.format !== 'raw' ? {format: image.format} : {};
	const file = {kind: 'file', path: image.path, ...format};
	const disk = isOwn ? file : {kind: 'memdiff', disk: file};
	return ownDevice(virtioBlkKind, virtioBlkId, rootName, {disk});
}

/** Bytes of memory that are asked for. @throws VmmError */
const memoryBytes = (memory: number | string): number =>
	typeof memory === 'number' ? memory : parseSize(memory, 'memory');

/** Resets in a row, each soon after the one before: a kernel that finds no root panics and starts again for good. */
const mostResets = 1;

/** What the machine's shape is, without its devices and boot. @throws VmmError */
export function shapeOf({memory, processors, machine = {}, folders = {}}: CreateVmOptions): VmOptions {
	const pcie = withFolderPorts(folders, machine.pcie);
	return {
		guestResetLimit: mostResets,
		...machine,
		...(pcie && {pcie}),
		...(memory !== undefined && {memory: {...machine.memory, sizeBytes: memoryBytes(memory)}}),
		...(processors !== undefined && {processors: {...machine.processors, count: processors}}),
	};
}

/** A guest that is to boot with our agent. */
export interface AgentBoot {
	readonly folder: MachineFolder;
	/** Static program that the kernel starts. */
	readonly agent: Uint8Array;
	/** Words of the kernel's command line by which the agent knows what to do. */
	readonly words: readonly string[];
}

/** Puts together a kernel and an initial file system with the agent. @throws VmmError */
export async function agentBoot(
	{kernel, initrd, commandLine = [], signal, progress}: CreateVmOptions,
	{folder, agent, words}: AgentBoot,
): Promise<BootConfig> {
	progress?.('kernel', 0, 0);
	const {buildInitrd, provideKernel} = await import('#main/guest-kernel');
	const request: KernelRequest = typeof kernel === 'string' ? {kernel} : (kernel ?? {});
	const told = (part: string, done: number, total: number) => progress?.('kernel', done, total, part);
	const found = await provideKernel(request, {signal, progress: told});
	const cache = request.cache === undefined ? {} : {cache: request.cache};
	const built = await buildInitrd({kernel: found, init: agent, ...cache});
	return {
		kind: 'linux',
		kernel: found.path,
		initrd: initrd === undefined ? built : await joined(initrd, built, folder.file('initrd')),
		commandLine: ['quiet', ...words, ...commandLine],
	};
}

/** Archives follow each other at multiples of this (kernel: Documentation/driver-api/early-userspace/buffer-format.rst). */
const alignment = 4;

/** Linux unpacks one archive after the other, and has the later of two files of a name. */
async function joined(first: string, second: string, path: string): Promise<string> {
	await copyFile(first, path);
	const {size} = await stat(path);
	await appendFile(path, Buffer.concat([new Uint8Array(-size & (alignment - 1)), await readFile(second)]));
	return path;
}
