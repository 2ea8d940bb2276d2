/** The incubator's machine: QEMU emulating an x86 processor with SVM, and the file servers that give it the host's files. */

import {type ChildProcess, spawn} from 'node:child_process';
import {closeSync, existsSync, openSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {IncubatorError} from './errors.ts';
import {type FileServer, findHostTools, findProgram} from './host-tools.ts';

const FILE_SERVER_START_MS = 10_000;

/** Parts of the machine. */
export interface MachineSpec {
	readonly processors: number;
	readonly memoryMib: number;
	readonly kernel: string;
	readonly initrd: string;
	/** Given to the first program as environment. */
	readonly environment: Readonly<Record<string, string>>;
	/** Folder for sockets and logs of this machine. */
	readonly runFolder: string;
	readonly consoleLog: string;
	/** Listens already when the machine starts. */
	readonly agentSocket: string;
	/** Folders by the tag under which the machine mounts them. */
	readonly shares: readonly Share[];
}

/** A folder that the machine sees. */
export interface Share {
	readonly tag: string;
	readonly folder: string;
	/** Everything may be cached: nothing changes in it while the machine runs. */
	readonly isStable: boolean;
}

/** Starts file servers and QEMU; they end when this process ends, for whatever reason. */
export async function startMachine(spec: MachineSpec): Promise<ChildProcess[]> {
	const tools = findHostTools();
	const children: ChildProcess[] = [];
	try {
		const sockets = spec.shares.map((share) => {
			const socket = join(spec.runFolder, `${share.tag}.sock`);
			const log = join(spec.runFolder, `${share.tag}.log`);
			children.push(startTied(tools.fileServer.path, fileServerWords(tools.fileServer, share, socket), log));
			return {tag: share.tag, socket};
		});
		await Promise.all(sockets.map(({socket}) => socketAppears(socket, spec.runFolder)));
		children.push(startTied(tools.qemu, qemuWords(spec, sockets), join(spec.runFolder, 'qemu.log')));
		return children;
	} catch (error) {
		for (const child of children) {
			child.kill('SIGKILL');
		}
		throw error;
	}
}

async function socketAppears(socket: string, runFolder: string): Promise<void> {
	for (const started = performance.now(); performance.now() - started < FILE_SERVER_START_MS; await sleep(10)) {
		if (existsSync(socket)) {
			return;
		}
	}
	throw new IncubatorError(
		'The file server virtiofsd does not start',
		`Read its log in ${runFolder}; it may need root.`,
	);
}

/** A session of its own keeps ^C in the terminal away from the child; the death signal keeps it from outliving us. */
function startTied(command: string, words: readonly string[], logFile: string): ChildProcess {
	const log = openSync(logFile, 'a');
	const setpriv = findProgram('setpriv');
	const [program, all] =
		setpriv === undefined ? [command, words] : [setpriv, ['--pdeathsig', 'KILL', command, ...words]];
	const child = spawn(program, all, {stdio: ['ignore', log, log], detached: true});
	closeSync(log);
	return child;
}

function fileServerWords({dialect}: FileServer, {folder, isStable}: Share, socket: string): string[] {
	const isRoot = process.getuid?.() === 0;
	if (dialect === 'qemu') {
		const options = [`source=${folder}`, `cache=${isStable ? 'always' : 'none'}`, 'sandbox=chroot'];
		return [`--socket-path=${socket}`, ...options.flatMap((option) => ['-o', option]), '--thread-pool-size=0'];
	}
	return [
		`--socket-path=${socket}`,
		`--shared-dir=${folder}`,
		`--cache=${isStable ? 'always' : 'never'}`,
		`--sandbox=${isRoot ? 'chroot' : 'none'}`,
		'--thread-pool-size=0',
	];
}

function qemuWords(spec: MachineSpec, sockets: readonly {tag: string; socket: string}[]): string[] {
	const environment = Object.entries(spec.environment).map(([name, value]) => `${name}="${value}"`);
	// The emulated TSC follows the host's on every processor; without the word Linux falls back to the HPET, which is slow.
	const kernelWords = [
		'console=ttyS0',
		'quiet',
		'panic=-1',
		'mitigations=off',
		'nokaslr',
		'tsc=reliable',
		// A processor of its own that the emulator has lost makes the kernel give up after some 20 s, and QEMU end.
		'sysctl.kernel.panic_on_rcu_stall=1',
		'softlockup_panic=1',
		...environment,
	];
	const memory = `memory-backend-memfd,id=memory,size=${spec.memoryMib}M,share=on`;
	return [
		...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-monitor', 'none'],
		...['-machine', 'q35', '-accel', 'tcg,thread=multi,tb-size=1024', '-cpu', 'max'],
		...['-smp', String(spec.processors), '-m', `${spec.memoryMib}M`],
		...['-object', memory, '-numa', 'node,memdev=memory'],
		...['-kernel', spec.kernel, '-initrd', spec.initrd, '-append', kernelWords.join(' ')],
		...['-serial', `file:${spec.consoleLog}`],
		...['-device', 'virtio-serial-pci', '-chardev', `socket,id=agent,path=${spec.agentSocket}`],
		...['-device', 'virtserialport,chardev=agent,name=openvmm.agent'],
		...sockets.flatMap(({tag, socket}) => [
			...['-chardev', `socket,id=${tag},path=${socket}`],
			...['-device', `vhost-user-fs-pci,chardev=${tag},tag=${tag}`],
		]),
	];
}
