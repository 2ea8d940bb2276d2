import {rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {makeOwnFolder, removeLeftFolders} from '#main/own-folder';

const prefix = 'openvmm-vm-';

/** A folder of one machine's own, which nobody else may look into: its sockets, and files that it boots. */
export class MachineFolder implements AsyncDisposable {
	readonly path: string;

	private constructor(path: string) {
		this.path = path;
	}

	/** Makes one, and removes those of processes that were killed. @throws NodeJS.ErrnoException */
	static make(): MachineFolder {
		removeLeftFolders(tmpdir(), prefix);
		return new MachineFolder(makeOwnFolder(tmpdir(), prefix));
	}

	/** Path of the Unix socket by which ports of the guest's are reached. */
	get sockets(): string {
		return join(this.path, 'vsock');
	}

	/** Path of the Unix socket that is the host's end of a console's port for the agent. */
	get agentPort(): string {
		return join(this.path, 'agent');
	}

	file(name: string): string {
		return join(this.path, name);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await rm(this.path, {recursive: true, force: true});
	}
}
