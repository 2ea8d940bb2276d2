/** Fetches files by HTTP or from folders, bounded in time and bytes. */

import {createReadStream, type ReadStream} from 'node:fs';
import {stat} from 'node:fs/promises';
import {fileURLToPath} from 'node:url';
import {
	ask,
	type DownloadFaults,
	HostAddresses,
	type HttpAnswer,
	type Patience,
	type Resolve,
	retried,
	StallWatch,
	usualPatience,
	watched,
} from '#main/download';
import type {VmmErrorCode} from '#support/errors';
import {mirrorError} from './errors.ts';

/** What a try may end with that another one may not: the host's network and a busy mirror. */
const passing: readonly VmmErrorCode[] = ['MIRROR_UNREACHABLE', 'MIRROR_STALLED', 'MIRROR_FILE_CUT_OFF'];

const faults: DownloadFaults = {
	unreachable: (url, what, cause) => mirrorError('MIRROR_UNREACHABLE', {url, what}, {cause}),
	stalled: (url, bytes, seconds) => mirrorError('MIRROR_STALLED', {url, bytes, seconds}),
	redirected: (url, what) => mirrorError('MIRROR_REDIRECTED', {url, what}),
};

/** The pieces of a file, from one of its bytes on. */
export interface FetchedPart {
	/** The byte that the first piece begins with: 0 where the mirror does not give parts. */
	readonly start: number;
	readonly pieces: AsyncIterable<Uint8Array>;
}

/** Asks mirrors for files. */
export class FileFetcher {
	readonly #patience: Patience;
	readonly #resolve: Resolve;

	constructor(patience: Patience = usualPatience, resolve: Resolve = HostAddresses.of) {
		this.#patience = patience;
		this.#resolve = resolve;
	}

	/**
	 * Does something that fetches, again where it fails by what may pass.
	 * @throws VmmError what the last try throws; the signal's reason
	 */
	retried<T>(signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> {
		return retried(this.#patience, passing, signal, attempt);
	}

	/**
	 * Fetches a whole file into memory.
	 * @throws VmmError MIRROR_FILE_TOO_LARGE and as {@link part} does
	 */
	bytes(url: URL, most: number, signal?: AbortSignal): Promise<Buffer> {
		return this.retried(signal, async () => {
			const taken: Uint8Array[] = [];
			let length = 0;
			for await (const piece of (await this.part(url, 0, signal)).pieces) {
				length += piece.length;
				if (length > most) throw mirrorError('MIRROR_FILE_TOO_LARGE', {url: url.href, most});
				taken.push(piece);
			}
			return Buffer.concat(taken);
		});
	}

	/**
	 * Asks for a file from one of its bytes on, once.
	 * @throws VmmError MIRROR_FILE_MISSING, MIRROR_UNREACHABLE, MIRROR_STALLED, MIRROR_REDIRECTED, also while pieces are taken;
	 * the signal's reason
	 */
	async part(url: URL, from: number, signal?: AbortSignal): Promise<FetchedPart> {
		signal?.throwIfAborted();
		if (url.protocol !== 'file:') return this.#request(url, from, signal);
		const body = await openFile(url, from);
		const watch = new StallWatch(url, this.#patience.spans, faults);
		const either = signal === undefined ? watch.signal : AbortSignal.any([signal, watch.signal]);
		return {start: from, pieces: watched(body, {url, watch, signal: either, faults})};
	}

	async #request(url: URL, from: number, signal: AbortSignal | undefined): Promise<FetchedPart> {
		// A mirror that compresses what is compressed already would make lengths wrong.
		const headers = {'accept-encoding': 'identity', ...(from > 0 && {range: `bytes=${from}-`})};
		const {spans} = this.#patience;
		const answer = await ask({url, headers, follows: true, resolve: this.#resolve, spans, faults, signal});
		const {status, pieces} = answer;
		if (status === 200) return {start: 0, pieces};
		const range = /^bytes (\d+)-/.exec(answer.header('content-range') ?? '')?.[1];
		if (status === 206 && range === String(from)) return {start: from, pieces};
		answer.close();
		// What lies there is longer than all of the file: it is asked for from its beginning.
		if (status === 416 && from > 0) return this.#request(url, 0, signal);
		throw refusal(answer);
	}
}

async function openFile(url: URL, from: number): Promise<ReadStream> {
	const path = fileURLToPath(url);
	const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
		const isMissing = error.code === 'ENOENT' || error.code === 'ENOTDIR';
		if (!isMissing) throw faults.unreachable(url.href, error.code ?? error.message, error);
		throw mirrorError('MIRROR_FILE_MISSING', {url: url.href, status: 'there is none'});
	});
	if (!found.isFile()) throw mirrorError('MIRROR_FILE_MISSING', {url: url.href, status: 'it is no plain file'});
	return createReadStream(path, {start: from});
}

const busyStatuses = [408, 425, 429];

function refusal({url, status}: Pick<HttpAnswer, 'url' | 'status'>): Error {
	const isPassing = status >= 500 || busyStatuses.includes(status) || status < 300;
	if (isPassing) return faults.unreachable(url.href, `HTTP status ${status}`);
	return mirrorError('MIRROR_FILE_MISSING', {url: url.href, status: `HTTP status ${status}`});
}
