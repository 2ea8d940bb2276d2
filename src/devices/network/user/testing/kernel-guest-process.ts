import {execFileSync, spawn} from 'node:child_process';
import {once} from 'node:events';
import type {Server, Socket} from 'node:net';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import type {GuestAnswer, GuestJob} from './kernel-guest.ts';

/** A kernel in a network name space of its own that is a network's guest: what `kernel-guest.ts` does there. */
export class KernelGuest {
	readonly #child;
	readonly #lines: AsyncIterator<string>;

	private constructor() {
		const script = fileURLToPath(new URL('kernel-guest.ts', import.meta.url));
		const words = ['-n', process.execPath, '--import=tsx', script];
		this.#child = spawn('unshare', words, {stdio: ['pipe', 'pipe', 'inherit']});
		this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
	}

	/** Makes one, and gives it an interface of the caller's name space, which must be called `ovm0`. */
	static async with(addresses: readonly string[], ready: () => void): Promise<KernelGuest> {
		const guest = new KernelGuest();
		await guest.answer();
		execFileSync('ip', ['link', 'set', 'ovm0', 'netns', `${guest.#child.pid}`]);
		ready();
		guest.ask({what: 'interface', addresses});
		await guest.answer();
		return guest;
	}

	ask(job: GuestJob): void {
		this.#child.stdin.write(`${JSON.stringify(job)}\n`);
	}

	async answer(): Promise<GuestAnswer> {
		return JSON.parse((await this.#lines.next()).value as string);
	}

	/** What becomes of a connection to a server at the host's end, and what the guest says of its own. */
	async meet<T>(
		server: Server,
		job: GuestJob,
		serve: (socket: Socket) => Promise<T>,
	): Promise<readonly [T, GuestAnswer]> {
		const connection = once(server, 'connection');
		this.ask(job);
		const [socket] = (await connection) as [Socket];
		return Promise.all([serve(socket), this.answer()]);
	}

	kill(): void {
		this.#child.kill();
	}
}
