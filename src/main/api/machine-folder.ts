import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

/** A folder of one machine's own, which nobody else may look into: its sockets, and files that it boots. */
export class MachineFolder implements AsyncDisposable {
	readonly path: string;

	private constructor(path: string) {
		this.path = path;
	}

	/** @throws NodeJS.ErrnoException */
	static async make(): Promise<MachineFolder> {
		return new MachineFolder(await mkdtemp(join(tmpdir(), 'openvmm-vm-')));
	}

	/** Path of the Unix socket by which ports of the guest's are reached. */
	get sockets(): string {
		return join(this.path, 'vsock');
	}

	file(name: string): string {
		return join(this.path, name);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await rm(this.path, {recursive: true, force: true});
	}
}
