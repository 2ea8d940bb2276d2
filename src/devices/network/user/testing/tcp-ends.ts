import {createHash, randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {writeFileSync} from 'node:fs';
import type {Socket} from 'node:net';
import {finished} from 'node:stream/promises';

/** Bytes of a connection each way. */
const bytes = 4 * 2 ** 20;

/** What an end has sent, and what it has got, by their digests. */
export interface Ends {
	readonly sent?: string;
	readonly got?: string;
}

const digest = (content: Uint8Array) => createHash('sha256').update(content).digest('hex');

async function gotBy(socket: Socket): Promise<string> {
	const got = createHash('sha256');
	socket.on('data', (data) => got.update(data));
	await finished(socket);
	return got.digest('hex');
}

/** Sends and gets as much. */
export async function exchange(socket: Socket): Promise<Ends> {
	const sent = randomBytes(bytes);
	socket.end(sent);
	return {sent: digest(sent), got: await gotBy(socket)};
}

/** Sends so many bytes to somebody who may sleep. */
export async function give(socket: Socket, count: number): Promise<Ends> {
	const sent = randomBytes(count);
	socket.end(sent);
	await gotBy(socket);
	return {sent: digest(sent)};
}

/** Sleeps, and reads then. */
export async function take(socket: Socket, awake: Promise<void>): Promise<Ends> {
	await awake;
	socket.end();
	return {got: await gotBy(socket)};
}

/** Resets a connection that the other end has too, since it has said something. */
export async function reset(socket: Socket): Promise<object> {
	await once(socket, 'data');
	socket.resetAndDestroy();
	return {};
}

/** Waits for the other end to reset the connection, and speaks meanwhile: nobody sends a reset that was lost again without being spoken to. @returns the error */
export function resetOf(socket: Socket): Promise<string | undefined> {
	const speaking = setInterval(() => socket.write('.'), 50);
	return new Promise<string | undefined>((resolve) => {
		socket.resume();
		socket.once('error', ({code}: NodeJS.ErrnoException) => resolve(code)).once('close', () => resolve(undefined));
	}).finally(() => clearInterval(speaking));
}

/** Has the kernel of this name space keep little for each connection, so that who does not read has no room soon. */
export function keepLittle(): void {
	for (const name of ['tcp_rmem', 'tcp_wmem']) writeFileSync(`/proc/sys/net/ipv4/${name}`, '4096 65536 131072');
}
