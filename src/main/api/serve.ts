import {join} from 'node:path';
import {ConsoleLog} from '#devices/serial-backends';
import type {CommandDefaults, ControlServer} from '#main/control';
import type {ImageConfig} from '#main/oci';
import type {OperationSignal} from '#support/abort';
import type {RunningMachine} from './bring-up.ts';
import type {HostChoices} from './options.ts';

/** How a machine is found by others. */
export interface ServeOptions {
	/** Its name for them, the machine's own if not given: a letter, and then letters, digits, dots, dashes and underscores. */
	readonly name?: string;
	/** Ends it, as `close` does. */
	readonly signal?: OperationSignal;
}

/** A machine that other programs of this user find by its name. It ends with its machine. */
export interface ServedMachine {
	readonly name: string;
	/** Path of its control socket. */
	readonly path: string;
	/** Nobody finds it any more, and who is connected is not. Idempotent. */
	close(): void;
}

/** What an image says of the commands in it. */
export const commandDefaults = ({env, workingDir, user}: ImageConfig): CommandDefaults => ({
	...(workingDir !== '/' && {cwd: workingDir}),
	...(user !== '' && {user}),
	env: Object.fromEntries(env.map((each) => [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)])),
});

interface Told extends ServeOptions {
	readonly name: string;
	/** What its root was asked for as, and what that says of commands. */
	readonly asked: HostChoices['image'];
	readonly image: ImageConfig | undefined;
}

/**
 * Gives a machine a name, a control socket and a log of its console, where `openvmm` looks for machines.
 * @throws VmmError CONTROL_*
 */
export async function serveMachine(
	{machine, console}: RunningMachine,
	{name, asked, image, signal}: Told,
): Promise<ServedMachine> {
	const {claimEntry, entryFiles, imageText, serveControl} = await import('#main/control');
	const about = {
		processors: machine.processors,
		hasConsole: true,
		...(asked !== undefined && {image: imageText(asked)}),
		...(image !== undefined && {commands: commandDefaults(image)}),
	};
	const entry = await claimEntry({name, about});
	const log = new ConsoleLog(join(entry.folder, entryFiles.console));
	log.append(Buffer.from(console.text));
	const unlisten = console.listen((text) => log.append(Buffer.from(text)));
	let control: ControlServer | undefined;
	const close = () => {
		signal?.removeEventListener('abort', close);
		unlisten();
		log.close();
		control?.close();
		entry.end(0);
	};
	try {
		control = await serveControl(machine, {entry});
		signal?.throwIfAborted();
	} catch (error) {
		close();
		throw error;
	}
	signal?.addEventListener('abort', close);
	return {name, path: control.path, close};
}
