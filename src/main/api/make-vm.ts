import {link} from 'node:fs/promises';
import type {GuestAgent} from '#main/agent';
import {type BootConfig, vmConfig} from '#main/config';
import type {ImageConfig, OpenedImage} from '#main/oci';
import {checkGivenAgain, type OpenSnapshot, restoredConfig} from '#main/snapshot';
import type {AgentLink} from './agent-link.ts';
import {bringUp, type RunningMachine} from './bring-up.ts';
import {agentBoot, hostParts, nameOf, openRoot, shapeOf} from './compose.ts';
import {againFolderPorts} from './folder-ports.ts';
import {MachineConsole} from './guest-console.ts';
import {guestWords, loadAgent} from './guest-words.ts';
import {MachineFolder} from './machine-folder.ts';
import {nicName} from './network.ts';
import type {CreateVmOptions, HostChoices, RestoreVmOptions} from './options.ts';
import {agentWay, reachAgent} from './reach-agent.ts';
import {mountFolders} from './shared-folders.ts';

/** A machine that runs, and what it has of its host. */
export interface MadeVm {
	readonly name: string;
	readonly running: RunningMachine;
	/** Goes with the machine. */
	readonly folder: MachineFolder;
	readonly image: ImageConfig | undefined;
	/** What was said of its host's side, for machines that go on from where it is. */
	readonly choices: Omit<HostChoices, 'signal' | 'progress' | 'log' | 'deviceNoticed' | 'name' | 'host'>;
	/** What each of its boots is made of, where that is known. */
	readonly anew: Anew | undefined;
}

/** What a machine starts anew with. */
interface Anew {
	readonly boot: BootConfig;
	/** Its initial file system is in the machine's folder, and goes with it. */
	readonly ownsInitrd: boolean;
	/** Files that a boot is to have; none where they outlive one. */
	readonly files: NonNullable<CreateVmOptions['files']>;
}

/** What a machine that goes on from where another is has of it, beside its choices. */
export interface Origin {
	readonly anew: Anew | undefined;
	/** The boot of its guest that has been given its folders. */
	readonly filled: string | undefined;
}

/** Makes a machine. @throws VmmError; the signal's reason. Nothing is left behind */
export function makeVm(options: CreateVmOptions): Promise<MadeVm> {
	return inPlace(options, async ({name, folder, guestConsole}) => {
		const image = await openRoot(options);
		options.signal?.throwIfAborted();
		const parts = await hostParts(options, {name, folder, image, guestConsole});
		const way = agentWay(options);
		const words = guestWords(options, {name, image: image?.kind});
		const boot = options.boot ?? (await agentBoot(options, {folder, agent: await loadAgent(), words}));
		options.signal?.throwIfAborted();
		const config = vmConfig({...shapeOf(options), boot, devices: parts.devices});
		const {files = {}, folders = {}} = options;
		const ownsInitrd = options.boot === undefined && options.initrd !== undefined;
		const anew = {boot, ownsInitrd, files: isForgotten(image, options) ? files : {}};
		const fill = async (agent: GuestAgent, before: string | undefined) => {
			await mountFolders(agent, folders);
			if (before === undefined) await writeFiles(agent, files, options);
			else await writeFiles(agent, anew.files);
		};
		const prepare = (link: AgentLink) => link.get();
		const reach = way && reachAgent(way, folder);
		const started = {name, guestConsole, config, create: options.host ?? {}, reach, prepare, fill};
		const running = await bringUp(started, options);
		options.progress?.('ready', 0, 0);
		return {name, running, folder, image: parts.image, choices: choicesOf(options), anew};
	});
}

/** Makes a machine that goes on from a snapshot, which is the caller's to close. @throws VmmError; nothing is left behind */
export function restoreVm(snapshot: OpenSnapshot, asked: RestoreVmOptions, origin?: Origin): Promise<MadeVm> {
	const options = {network: snapshot.manifest.asked.devices.has(nicName), ...asked};
	return inPlace(options, async ({name, folder, guestConsole}) => {
		const image = await openRoot(options);
		options.signal?.throwIfAborted();
		const {asked} = snapshot.manifest;
		const parts = await hostParts(options, {name, folder, image, guestConsole, saved: asked.devices});
		const anew = origin?.anew && (await inFolder(origin.anew, folder));
		const pcie = options.machine?.pcie && againFolderPorts(options.machine.pcie, asked.pcie);
		const config = await restoredConfig(snapshot, {
			...options.machine,
			...(pcie && {pcie}),
			...(anew && {boot: anew.boot}),
			devices: parts.devices,
		});
		checkGivenAgain(snapshot, config);
		const create = {...options.host, snapshot, ...(options.clock && {clock: options.clock})};
		const way = agentWay(options);
		const reach = way && reachAgent(way, folder);
		const fill = async (agent: GuestAgent, before: string | undefined) => {
			// The boot that was saved has all of it.
			if (before === undefined) return;
			await mountFolders(agent, options.folders ?? {});
			await writeFiles(agent, anew?.files ?? {});
		};
		const prepare = (link: AgentLink) => link.renew();
		const running = await bringUp(
			{name, guestConsole, config, create, reach, prepare, fill, filled: origin?.filled},
			options,
		);
		options.progress?.('ready', 0, 0);
		return {name, running, folder, image: parts.image, choices: choicesOf(options), anew};
	});
}

/** The same for a machine of another folder: the first may be gone before it starts anew. */
async function inFolder(anew: Anew, folder: MachineFolder): Promise<Anew> {
	const {boot, ownsInitrd} = anew;
	if (!ownsInitrd || boot.kind !== 'linux' || boot.initrd === undefined) return anew;
	const initrd = folder.file('initrd');
	await link(boot.initrd, initrd);
	return {...anew, boot: {...boot, initrd}};
}

/** What each machine has to itself. */
interface Place {
	readonly name: string;
	readonly folder: MachineFolder;
	readonly guestConsole: MachineConsole;
}

async function inPlace<T>(choices: HostChoices, work: (place: Place) => Promise<T>): Promise<T> {
	const name = nameOf(choices);
	const folder = MachineFolder.make();
	let guestConsole: MachineConsole | undefined;
	try {
		guestConsole = new MachineConsole(name);
		return await work({name, folder, guestConsole});
	} catch (error) {
		guestConsole?.close();
		await folder[Symbol.asyncDispose]();
		throw error;
	}
}

/** Whether the guest's root is in memory, and begins anew with each boot: of a guest with a boot of the program's nobody knows. */
const isForgotten = (image: OpenedImage | undefined, {boot, writable = false}: CreateVmOptions): boolean =>
	image === undefined ? boot === undefined : image.kind === 'folder' && !writable;

/** Gives the guest its files. */
async function writeFiles(
	agent: GuestAgent,
	files: NonNullable<CreateVmOptions['files']>,
	{progress, signal}: Pick<CreateVmOptions, 'progress' | 'signal'> = {},
): Promise<void> {
	const all = Object.entries(files);
	for (const [index, [path, content]] of all.entries()) {
		progress?.('files', index, all.length);
		const folder = path.slice(0, path.lastIndexOf('/'));
		if (folder !== '') await agent.files.mkdir(folder, {recursive: true, ...(signal && {signal})});
		await agent.files.write(path, content, signal && {signal});
	}
}

function choicesOf(options: CreateVmOptions): MadeVm['choices'] {
	const {network, disks, folders, image, writable, devices, machine, startTimeout} = options;
	return {
		agent: agentWay(options) ?? false,
		...(network !== undefined && {network}),
		...(disks !== undefined && {disks}),
		...(folders !== undefined && {folders}),
		...(image !== undefined && {image}),
		...(writable !== undefined && {writable}),
		...(devices !== undefined && {devices}),
		...(machine !== undefined && {machine}),
		...(startTimeout !== undefined && {startTimeout}),
	};
}
