import {rmSync} from 'node:fs';
import {ControlClient, canConnect} from './control-client.ts';
import {controlError} from './errors.ts';
import {isGone, socketDirectory, socketFiles} from './socket-directory.ts';

/** Machine that a command is for; without either the only one that runs. */
export interface MachineChoice {
	/** Name or process id. */
	readonly vm?: string;
	readonly socket?: string;
}

/** Connects to every machine of this user, and removes the sockets of those that are no more. */
export async function connectAll(directory = socketDirectory()): Promise<ControlClient[]> {
	const clients = await Promise.all(
		socketFiles(directory).map(async ({path, pid}) => {
			try {
				return [await ControlClient.connect(path)];
			} catch {
				// Both, since the process may live where its id means nothing here.
				if (isGone(pid) && !(await canConnect(path))) rmSync(path, {force: true});
				return [];
			}
		}),
	);
	return clients.flat().sort((a, b) => a.hello.pid - b.hello.pid);
}

/**
 * Connects to the machine that is meant.
 * @throws VmmError CONTROL_NO_MACHINE, CONTROL_MACHINE_AMBIGUOUS, CONTROL_MACHINE_UNKNOWN, CONTROL_UNREACHABLE
 */
export async function connectMachine(choice: MachineChoice, directory = socketDirectory()): Promise<ControlClient> {
	if (choice.socket !== undefined) return ControlClient.connect(choice.socket);
	const all = await connectAll(directory);
	const {vm} = choice;
	const meant = vm === undefined ? all : all.filter(({hello}) => hello.name === vm || String(hello.pid) === vm);
	for (const client of all) if (meant.length !== 1 || client !== meant[0]) client.close();
	const [first] = meant;
	if (first !== undefined && meant.length === 1) return first;
	const running = all.map(({hello}) => (hello.name === undefined ? `${hello.pid}` : `${hello.name} (${hello.pid})`));
	if (meant.length > 1) throw controlError('CONTROL_MACHINE_AMBIGUOUS', {running});
	if (vm !== undefined) throw controlError('CONTROL_MACHINE_UNKNOWN', {wanted: vm, running});
	throw controlError('CONTROL_NO_MACHINE', {directory});
}
