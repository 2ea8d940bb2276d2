import {createServer, type IncomingMessage, type ServerResponse} from 'node:http';
import {createServer as createSecureServer} from 'node:https';
import type {AddressInfo} from 'node:net';
import type {ExecutionContext} from 'ava';
import {HostMemory, IoVectors} from '#devices/guest-memory';
import {DiskError, DiskOperation, DiskRequest} from '#devices/storage/disk';
import {SeededRandom} from '#devices/storage/image/testing';
import type {BlobDisk} from '../blob-disk.ts';
import type {Patience} from '../range-source.ts';
import type {selfSigned} from './self-signed.ts';

/** What servers have. */
export const content = Buffer.from(new SeededRandom(2).bytes(3 * 2 ** 20 + 512));
/** Asks again at once, and never gives up. */
export const patience = {partMs: 600_000, markMs: 600_000, waitsMs: [1, 1]} as const satisfies Patience;

export type Answer = (response: ServerResponse, start: number, end: number, request: IncomingMessage) => void;

/** A server on this host. */
export interface Server {
	readonly url: string;
	/** Ranges that were asked for, without those of one byte that look what the file is. */
	readonly asked: string[];
	content: Buffer;
	tag: string;
	/** Answers instead of it, while there is one. */
	answer: Answer | undefined;
}

/** Headers of a true answer. */
export const head = ({content: {length}, tag}: Server, start: number, end: number) => ({
	etag: tag,
	'content-range': `bytes ${start}-${end}/${length}`,
	'content-length': `${end - start + 1}`,
});

/** @param identity - with which it speaks TLS */
export async function serve(t: ExecutionContext, identity?: ReturnType<typeof selfSigned>): Promise<Server> {
	const serveRequest = (request: IncomingMessage, response: ServerResponse) => {
		const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
		const [start, end] = [Number(from), Number(to)];
		if (request.headers.range !== 'bytes=0-0') server.asked.push(`${start}-${end}`);
		if (server.answer !== undefined) {
			server.answer(response, start, end, request);
			return;
		}
		const condition = request.headers['if-range'];
		if (condition !== undefined && condition !== server.tag) {
			response.writeHead(200, {etag: server.tag}).end(server.content);
			return;
		}
		response.writeHead(206, head(server, start, end)).end(server.content.subarray(start, end + 1));
	};
	const listening = identity === undefined ? createServer(serveRequest) : createSecureServer(identity, serveRequest);
	await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
	t.teardown(() => {
		listening.closeAllConnections();
		listening.close();
	});
	const {port} = listening.address() as AddressInfo;
	const scheme = identity === undefined ? 'http' : 'https';
	const server: Server = {
		url: `${scheme}://127.0.0.1:${port}/disk`,
		asked: [],
		content,
		tag: '"one"',
		answer: undefined,
	};
	return server;
}

class Read extends DiskRequest {
	readonly ended = Promise.withResolvers<DiskError>();
	readonly room: HostMemory;

	constructor(offset: number, length: number) {
		super(new IoVectors(1));
		this.operation = DiskOperation.READ;
		this.offset = offset;
		this.length = length;
		this.room = new HostMemory(length);
		this.vectors.addHost(this.room, 0, length);
	}

	override done(error: DiskError): void {
		this.ended.resolve(error);
	}
}

/** What a disk has in a range, or the error. */
export async function read(disk: BlobDisk, offset: number, length: number): Promise<Buffer | DiskError> {
	const request = new Read(offset, length);
	disk.submit(request);
	const error = await request.ended.promise;
	return error === DiskError.NONE ? Buffer.from(request.room.bytes) : error;
}

/** No reactor has the tests' thread: Node's loop goes by itself. */
export const reactor = {after: () => ({cancel() {}}), turnNode() {}};
