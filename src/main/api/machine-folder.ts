import {createHash} from 'node:crypto';
import {mkdtemp, readdir, readFile, readlink, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

const prefix = 'openvmm-vm-';

/** A folder of one machine's own, which nobody else may look into: its sockets, and files that it boots. */
export class MachineFolder implements AsyncDisposable {
	readonly path: string;

	private constructor(path: string) {
		this.path = path;
	}

	/** Makes one, and removes those of processes that were killed. @throws NodeJS.ErrnoException */
	static async make(): Promise<MachineFolder> {
		const own = `${prefix}${await processesHere()}-`;
		await removeLeft(own);
		return new MachineFolder(await mkdtemp(join(tmpdir(), `${own}${process.pid}-`)));
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

/** Names what a process id is one of: a folder for temporary files may be shared with containers and hosts, whose processes are not seen from here. */
async function processesHere(): Promise<string> {
	const parts = [readFile('/proc/sys/kernel/random/boot_id', 'utf8'), readlink('/proc/self/ns/pid')];
	return createHash('sha256')
		.update((await Promise.all(parts)).join())
		.digest('hex')
		.slice(0, 8);
}

/** Removes folders of processes that are no more. One that cannot be removed is nobody's hindrance. */
async function removeLeft(own: string): Promise<void> {
	const names = await readdir(tmpdir()).catch(() => []);
	for (const name of names.filter((each) => each.startsWith(own)))
		if (!isThere(Number(name.slice(own.length).split('-')[0])))
			await rm(join(tmpdir(), name), {recursive: true, force: true}).catch(() => {});
}

function isThere(pid: number): boolean {
	if (!Number.isInteger(pid) || pid <= 0) return true;
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code !== 'ESRCH';
	}
}
