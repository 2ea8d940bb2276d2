import {createReadStream} from 'node:fs';
import {copyFile, mkdtemp, open, readFile, rm, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {serialPorts} from '#devices/chipset/serial-16550';
import {parsePcieRootComplex, parsePcieRootPort, vmConfig} from '#main/config';
import {FileTree, type Spool} from '#main/file-tree';
import {gather} from '#main/tar';
import {createVm, type VmEnd} from '#main/vm';
import type {OperationSignal} from '#support/abort';
import type {HypervisorOption} from '#vcpu-worker/back-ends';
import {addConfigureInit, configureDisks} from './configure-init.ts';
import {imageError} from './errors.ts';
import type {Kernel} from './kernel.ts';
import {OutputFiles} from './output-files.ts';
import {readConfigured} from './read-configured.ts';

/** How the packages of an image are configured in a guest. */
export interface GuestConfiguration {
	readonly hypervisor: HypervisorOption;
	/** Most seconds that it may take. */
	readonly limitSeconds: number;
	/** The disk of the guest, and at most so many bytes of files come of it. */
	readonly sizeBytes: number;
	readonly uuid: string;
	/** Time of the guest's clock at its beginning; what becomes younger is of this age. In seconds since 1970. */
	readonly time: number;
	/** File of the host that gets the guest's console where this fails. */
	readonly logPath: string;
	/** Told of packages that are configured. */
	readonly progress: (done: number) => void;
	readonly signal: OperationSignal | undefined;
}

/** What the guest boots. */
export interface GuestSystem {
	/** The system, its packages unpacked. */
	readonly tree: FileTree;
	readonly kernel: Kernel;
	/** An unpacked busybox-static. */
	readonly busybox: FileTree;
}

const memoryBytes = 2 ** 30;
const lookMs = 250;
/** Far more than scripts say: a guest that says more is ended. */
const mostLogBytes = 2 ** 24;
/** Of a system with a million files. */
const mostNamesBytes = 2 ** 26;

/**
 * Boots a system in a machine of its own, which configures all packages and nothing else, and reads the files back that it has then.
 * @param spool - where their bytes go
 * @throws VmmError IMAGE_CONFIGURE_FAILED, IMAGE_CONFIGURE_TIMEOUT, and what a machine cannot get; the signal's reason
 */
export async function configureInGuest(
	system: GuestSystem,
	spool: Spool,
	asked: GuestConfiguration,
): Promise<FileTree> {
	const folder = await mkdtemp(join(dirname(asked.logPath), '.configure-'));
	try {
		const log = join(folder, 'log');
		await writeFile(log, '');
		const limit = AbortSignal.timeout(asked.limitSeconds * 1000);
		const signal = asked.signal === undefined ? limit : AbortSignal.any([asked.signal, limit]);
		const failed = async (make: () => Error) => {
			await copyFile(log, asked.logPath);
			return make();
		};
		const {logPath, limitSeconds} = asked;
		const end = await runGuest(system, folder, log, asked, signal).catch(async (error) => {
			if (!limit.aborted || asked.signal?.aborted) throw error;
			throw await failed(() => imageError('IMAGE_CONFIGURE_TIMEOUT', {seconds: limitSeconds, log: logPath}));
		});
		const said = await readFile(log, 'utf8');
		const [names, bytes] = ['names', 'bytes'].map((name) => Number(fact(said, name))) as [number, number];
		if (end.kind !== 'power-off' || fact(said, 'status') !== '0' || !(names > 0 && bytes > names))
			throw await failed(() => imageError('IMAGE_CONFIGURE_FAILED', {what: reasonOf(said, end), log: logPath}));
		const fault = (what: string) => imageError('IMAGE_CONFIGURE_FAILED', {what: `of the files, ${what}`, log: logPath});
		if (names > mostNamesBytes) throw fault(`${names} bytes are names`);
		const part = (start: number, end: number) =>
			createReadStream(join(folder, configureDisks.files), {start, end: end - 1});
		const found = {names: await gather(part(0, names)), archive: part(names, bytes)};
		return await readConfigured(system.tree, found, spool, {time: asked.time, fault, signal: asked.signal});
	} finally {
		await rm(folder, {recursive: true, force: true});
	}
}

async function runGuest(
	{tree, kernel, busybox}: GuestSystem,
	folder: string,
	log: string,
	{hypervisor, sizeBytes, uuid, time, progress}: GuestConfiguration,
	signal: AbortSignal,
): Promise<VmEnd> {
	const place = (name: string) => join(folder, name);
	const initrd = new FileTree(time);
	await addConfigureInit(initrd, busybox, kernel, time);
	await using files = new OutputFiles(() => signal.throwIfAborted());
	await files.pieces(place('kernel'), kernel.image.pieces());
	await files.initrd(place('initrd'), initrd);
	await files.disk(place(configureDisks.system), tree, {sizeBytes, time, uuid, label: 'root'});
	await files.finish();
	const archive = await open(place(configureDisks.files), 'wx');
	// Headers of an archive are less than its files' room, of which a sparse file has none before it is written.
	await archive.truncate(sizeBytes * 2);
	await archive.close();
	const names = Object.values(configureDisks);
	const disk = (name: string) => {
		return {kind: 'virtio-blk', port: name, options: {disk: {kind: 'file', path: place(name)}, id: name}} as const;
	};
	const config = vmConfig({
		hypervisor,
		memory: {sizeBytes: memoryBytes},
		boot: {
			kind: 'linux',
			kernel: place('kernel'),
			initrd: place('initrd'),
			// A kernel that has crashed starts again, which is the end here.
			commandLine: ['console=ttyS0', 'quiet', 'panic=-1'],
		},
		guestActions: {reset: {exit: 1}, halt: {exit: 1}},
		pcie: {
			rootComplexes: [parsePcieRootComplex('rc0')],
			rootPorts: names.map((name) => parsePcieRootPort(`rc0:${name}`)),
		},
		devices: [...serialPorts({com1: {kind: 'file', path: log}}), ...names.map(disk)],
	});
	const vm = await createVm(config, {signal});
	try {
		await vm.start();
		let isOver = false;
		void vm.ended.then(() => {
			isOver = true;
		});
		for (let said = ''; !isOver && said.length < mostLogBytes; ) {
			signal.throwIfAborted();
			await sleep(lookMs);
			said = await readFile(log, 'latin1');
			progress(said.match(/^Setting up /gm)?.length ?? 0);
		}
		await vm.stop();
		return await vm.ended;
	} finally {
		await vm.stop();
	}
}

/** What the guest has said by that name last. */
const fact = (said: string, name: string): string | undefined =>
	[...said.matchAll(new RegExp(`^openvmm-guest: ${name}=(.*?)\r?$`, 'gm'))].at(-1)?.[1];

/** What dpkg or the guest complains of, or else how it ended. */
function reasonOf(said: string, end: VmEnd): string {
	const packages = [...said.matchAll(/^dpkg: error processing package (\S+)/gm)].map(([, name]) => name);
	if (packages.length > 0) return `scripts of ${packages.join(', ')} failed`;
	const refused = /^dpkg: error: (.*?)\r?$/m.exec(said)?.[1];
	return refused ?? fact(said, 'error') ?? `the guest ended otherwise than it should (${end.kind})`;
}
