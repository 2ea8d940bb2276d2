import {join} from 'node:path';
import {ConsoleLog} from '#devices/serial-backends';
import type {CreateVmOptions, VM} from '#main/api';
import {type LogLevel, logLevels, parseMemory} from '#main/config';
import {entryFiles, imageText, type MachineEntry} from '#main/control';
import {isVmmError} from '#support/errors';
import {parseNumber} from '#support/options';
import {commandOperations} from './command-operations.ts';
import {type CommandChoice, readCommandFlags, startOptions} from './command-options.ts';
import type {Waiting} from './detach.ts';
import {cliError} from './errors.ts';
import {statusOfSignal} from './exit-status.ts';
import {commandStatuses, followCommand, type RunningCommand, startFailureStatus} from './guest-command.ts';
import {type Logger, plainLogger} from './logger.ts';
import {parseMirror} from './mirror-flag.ts';
import {oneOf} from './one-of.ts';
import {type OpenControl, openControl, openEntry} from './open-control.ts';
import type {FlagValues} from './parse.ts';
import {ProgressLine, whileWaiting} from './progress-line.ts';
import {type PublishedPort, parsePort, parseVolumes, portText} from './publish.ts';
import {logNotices, reportError} from './report.ts';
import {restoreWords, shapeFlags} from './restore-words.ts';
import {networkOf} from './run-network.ts';
import {forcingSignals} from './signals.ts';
import {splitNames} from './split-names.ts';
import type {Environment} from './to-config.ts';

/** What runs where neither the person nor the image says it. */
const usualCommand = ['/bin/sh'];
/** Milliseconds that a guest has to write what it has not written to shared folders. */
const stopMs = 10_000;

/** A machine and its command, as the line asks for them. */
interface RunRequest {
	readonly create: CreateVmOptions;
	/** The snapshot that it goes on from. */
	readonly from: string | undefined;
	/** The words by which one goes on from a snapshot of it. */
	readonly restored: (directory: string) => Promise<string[]>;
	readonly choice: CommandChoice;
	readonly command: readonly string[];
	readonly ports: readonly PublishedPort[];
	readonly keeps: boolean;
	readonly name: string | undefined;
}

/**
 * `openvmm run [IMAGE] [COMMAND…]`: a machine for one command.
 * @param waiting - in the background: told how far the machine is, and its name when its command runs
 * @returns the command's status, or 125 to 127 where it could not be run
 */
export async function runImage(
	words: readonly string[],
	flags: FlagValues<string>,
	env: Environment,
	waiting?: Waiting,
): Promise<number> {
	let entry: MachineEntry | undefined;
	let status: number = commandStatuses.failed;
	try {
		const logLevel = oneOf(...logLevels)((env['OPENVMM_LOG'] || 'warn').toLowerCase(), 'OPENVMM_LOG');
		const log = plainLogger(logLevel);
		const request = readRequest(words, flags, env);
		const {keeps, name, ports, create} = request;
		const image = create.image && imageText(create.image);
		const about = {
			...(image !== undefined && {image}),
			command: request.command,
			...(request.from === undefined ? shapeOf(create) : await savedShape(request.from)),
			ports: ports.map(portText),
		};
		const named = {logLevel, ...(name !== undefined && {name})} as const;
		// Nobody finds a machine in the background that has no name.
		const isNeeded = waiting !== undefined || name !== undefined;
		entry = await openEntry(named, log, {about, keeps, isNeeded});
		status = await runInMachine(request, entry, log, waiting);
	} catch (error) {
		reportError(error);
	} finally {
		entry?.end(status);
	}
	return status;
}

async function runInMachine(
	{create, from, restored, choice, command, ports}: RunRequest,
	entry: MachineEntry | undefined,
	log: Logger,
	waiting: Waiting | undefined,
): Promise<number> {
	/** Says where its time goes. */
	const begins = (part: string) => log.debug({part, atMs: Math.round(performance.now())}, 'Begins');
	const {commandDefaults, nicName, VM} = await import('#main/api');
	const kept = entry && new ConsoleLog(join(entry.folder, entryFiles.console));
	const line = new ProgressLine();
	const tell = waiting?.progress ?? line.update;
	let step = '';
	const progress = (name: string, done: number, total: number, part?: string) => {
		if (name !== step) begins(name);
		step = name;
		tell(part === undefined ? name : `${name} ${part}`, done, total);
	};
	const beginning = new Interruption((by) => entry?.end(by));
	let vm: VM;
	try {
		const options = {
			...create,
			...(entry !== undefined && {name: entry.name}),
			signal: beginning.signal,
			progress,
			log: (text: string) => kept?.append(Buffer.from(text)),
			deviceNoticed: logNotices(log),
		};
		vm = await (from === undefined ? VM.create(options) : VM.restore(from, options));
	} catch (error) {
		beginning.close();
		if (beginning.status !== undefined && isVmmError(error, 'OPERATION_ABORTED')) return beginning.status;
		throw error;
	} finally {
		line.clear();
	}
	const {promise: over, resolve: quit} = Promise.withResolvers<number>();
	let control: OpenControl | undefined;
	// What the guest has not written to a folder of the host is lost with a machine that is ended at once.
	let timeout = create.folders === undefined ? 0 : stopMs;
	try {
		const published: string[] = [];
		let datagrams = 0;
		for (const port of ports) {
			const {protocol, address, hostPort, guestPort} = port;
			// Any that was free is one now.
			const made =
				protocol === 'tcp'
					? (await vm.forward(hostPort, guestPort, {address})).port
					: await vm.inspect(`vm/devices/${nicName}/consomme/forwards/${datagrams++}/hostPort`);
			published.push(portText({...port, hostPort: made as number}));
		}
		const {image} = vm;
		entry?.describe({ports: published, ...(image !== undefined && {commands: commandDefaults(image)})});
		const all = commandOf(command, image);
		// Whatever the image says of its commands, the machine knows.
		begins('command');
		const options = {...startOptions(choice), signal: beginning.signal};
		const started = await vm.spawn(all, options).catch((error: unknown) => {
			if (beginning.status !== undefined) return beginning.status;
			reportError(error);
			return startFailureStatus(error);
		});
		if (typeof started === 'number') return started;
		const running = started as RunningCommand;
		control = await openControl(
			vm.machine,
			{logLevel: log.level as LogLevel},
			entry,
			log,
			() => {
				timeout = 0;
				quit(statusOfSignal('SIGKILL'));
			},
			commandOperations(running, choice, {stopSignal: (image?.stopSignal ?? 'SIGTERM') as NodeJS.Signals, restored}),
		);
		if (beginning.status !== undefined) return beginning.status;
		waiting?.ready(entry?.name ?? vm.name);
		// Nobody types or reads in the background: who attaches does.
		const isShown = waiting === undefined;
		const interactive = choice.interactive && isShown;
		const wrote = (bytes: Uint8Array) => kept?.append(bytes);
		const following = followCommand(running, {...choice, interactive, isShown, over, wrote});
		// From here on signals are the command's.
		beginning.close();
		return await following.catch(async (error: unknown) => {
			// A guest that has ended says more by how it did.
			if (isVmmError(error, 'AGENT_CLOSED')) await running.exited;
			throw error;
		});
	} finally {
		beginning.close();
		begins('end');
		control?.close();
		await whileWaiting('waits for the guest to write what is left', timeout, vm.stop({timeout}));
		kept?.close();
	}
}

/** Gives up what is being made at a signal; at a second one of those that a person sends again the process ends at once. */
class Interruption {
	readonly #controller = new AbortController();
	readonly #force: (status: number) => void;
	readonly #handlers = (['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const).map(
		(signal) => [signal, () => this.#end(signal)] as const,
	);
	/** Status of the signal that came. */
	status: number | undefined;

	/** @param force - called before the process ends at once */
	constructor(force: (status: number) => void) {
		this.#force = force;
		for (const [signal, handler] of this.#handlers) process.on(signal, handler);
	}

	get signal(): AbortSignal {
		return this.#controller.signal;
	}

	close(): void {
		for (const [signal, handler] of this.#handlers) process.off(signal, handler);
	}

	#end(signal: NodeJS.Signals): void {
		if (this.status !== undefined) {
			if (!forcingSignals.includes(signal)) return;
			this.#force(statusOfSignal(signal));
			this.close();
			process.kill(process.pid, signal);
			return;
		}
		this.status = statusOfSignal(signal);
		this.#controller.abort(new Error(signal));
	}
}

/** The command that is run: the person's words, or the image's, behind those that the image has before any. */
function commandOf(command: readonly string[], image: VM['image']): [string, ...string[]] {
	const words = [...(image?.entrypoint ?? []), ...(command.length > 0 ? command : (image?.cmd ?? []))];
	const [file, ...others] = words.length > 0 ? words : usualCommand;
	return [file as string, ...others];
}

const shapeOf = ({processors = 1, memory}: CreateVmOptions) => ({
	processors,
	memoryBytes: typeof memory === 'number' ? memory : 2 ** 30,
});

/** The same of the machine of a snapshot. @throws VmmError SNAPSHOT_* */
async function savedShape(path: string) {
	const {openSnapshot} = await import('#main/snapshot');
	const snapshot = openSnapshot(path);
	const {processors, memoryBytes} = snapshot.manifest.asked;
	snapshot.close();
	return {processors, memoryBytes};
}

/** @throws CONFIG_*, CLI_* */
function readRequest(words: readonly string[], flags: FlagValues<string>, env: Environment): RunRequest {
	const [image, ...command] = words;
	const ports = flags.all('publish').map(parsePort);
	const [memory, processors, kernel, initrd] = [
		flags.last('memory'),
		flags.last('processors'),
		flags.last('kernel'),
		flags.last('initrd'),
	];
	const pull = oneOf('missing', 'always', 'never')(flags.last('pull') ?? 'missing', '--pull');
	const [cache, keyring] = [flags.last('cache'), flags.last('keyring')];
	const mirrors = flags.all('mirror').map(parseMirror);
	const fromWhere = {pull, ...(flags.has('plain-http') && {plainHttp: true}), ...(cache !== undefined && {cache})};
	const packages = flags.all('packages').flatMap(splitNames);
	if (packages.length > 0 && image !== undefined && image !== '')
		throw cliError('CLI_FLAGS_CONFLICT', {
			first: '--packages',
			second: `the image ${image}, unless -- is before the command`,
		});
	const debian = {pull, ...(mirrors.length > 0 && {mirrors}), ...(keyring !== undefined && {keyring})};
	const from = flags.last('restore');
	const shaped = from === undefined ? undefined : shapeFlags.find((flag) => flags.has(flag));
	if (shaped !== undefined) throw cliError('CLI_FLAGS_CONFLICT', {first: '--restore', second: `--${shaped}`});
	const folders = parseVolumes(flags.all('volume'));
	const network = networkOf(flags, ports);
	// A machine that goes on has a network where it had one.
	const isSaid = from === undefined || flags.has('net') || network === false || Object.keys(network).length > 0;
	const create: CreateVmOptions = {
		...(image !== undefined && image !== '' && {image: {image, ...fromWhere}}),
		...(packages.length > 0 && {image: {packages, ...debian, ...(cache !== undefined && {cache})}}),
		...(isSaid && {network}),
		...(memory !== undefined && {memory: parseMemory(memory).sizeBytes}),
		...(processors !== undefined && {processors: parseNumber(processors, '--processors', 1, 1024)}),
		kernel: kernel ?? debian,
		...(initrd !== undefined && {initrd}),
		...(Object.keys(folders).length > 0 && {folders}),
		...(flags.has('cmdline') && {commandLine: flags.all('cmdline')}),
	};
	const name = flags.last('name');
	return {
		create,
		from,
		restored: (directory) => restoreWords(flags, image ?? '', directory),
		choice: readCommandFlags(flags, env),
		command,
		ports,
		keeps: !flags.has('rm'),
		name,
	};
}
