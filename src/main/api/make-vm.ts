import {type BootConfig, vmConfig} from '#main/config';
import type {ImageConfig} from '#main/oci';
import {type OpenSnapshot, restoredConfig} from '#main/snapshot';
import type {AgentLink} from './agent-link.ts';
import {bringUp, type RunningMachine} from './bring-up.ts';
import {agentBoot, hostParts, nameOf, openRoot, shapeOf} from './compose.ts';
import {againFolderPorts} from './folder-ports.ts';
import {MachineConsole} from './guest-console.ts';
import {guestWords, loadAgent} from './guest-words.ts';
import {MachineFolder} from './machine-folder.ts';
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
	/** What it boots, where that outlives it. */
	readonly boot: BootConfig | undefined;
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
		const prepare = (link: AgentLink) => fill(link, options);
		const reach = way && reachAgent(way, folder);
		const started = {name, guestConsole, config, create: options.host ?? {}, reach, prepare};
		const running = await bringUp(started, options);
		options.progress?.('ready', 0, 0);
		const outlives = options.initrd === undefined;
		return {name, running, folder, image: parts.image, choices: choicesOf(options), boot: outlives ? boot : undefined};
	});
}

/** Makes a machine that goes on from a snapshot, which is the caller's to close. @throws VmmError; nothing is left behind */
export function restoreVm(snapshot: OpenSnapshot, options: RestoreVmOptions, boot?: BootConfig): Promise<MadeVm> {
	return inPlace(options, async ({name, folder, guestConsole}) => {
		const image = await openRoot(options);
		options.signal?.throwIfAborted();
		const {asked} = snapshot.manifest;
		const parts = await hostParts(options, {name, folder, image, guestConsole, saved: asked.devices});
		const pcie = options.machine?.pcie && againFolderPorts(options.machine.pcie, asked.pcie);
		const config = await restoredConfig(snapshot, {
			...options.machine,
			...(pcie && {pcie}),
			...(boot && {boot}),
			devices: parts.devices,
		});
		const create = {...options.host, snapshot, ...(options.clock && {clock: options.clock})};
		const way = agentWay(options);
		const reach = way && reachAgent(way, folder);
		const prepare = (link: AgentLink) => link.renew();
		const running = await bringUp({name, guestConsole, config, create, reach, prepare}, options);
		options.progress?.('ready', 0, 0);
		return {name, running, folder, image: parts.image, choices: choicesOf(options), boot};
	});
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

/** Gives the guest its folders and files. */
async function fill(link: AgentLink, options: CreateVmOptions): Promise<void> {
	const {folders = {}, files = {}, progress, signal} = options;
	const agent = await link.get();
	await mountFolders(agent, folders);
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
