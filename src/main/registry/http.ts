import {type ClientRequest, request as httpRequest, type IncomingMessage} from 'node:http';
import {request as httpsRequest} from 'node:https';
import {untilAborted} from '#support/abort';
import {isVmmError} from '#support/errors';
import type {Addresses, Reach, Resolve} from './addresses.ts';
import {registryError} from './errors.ts';

/** How long a registry is waited for, and how often it is asked. */
export interface Patience {
	/** In each of these spans {@link leastBytes} have to come. */
	readonly spanMs: number;
	/** Waiting times before something is asked for again: as many as further tries. */
	readonly waitsMs: readonly number[];
	/** In this time manifests and tokens have come whole; layers may take as long as bytes come. */
	readonly wholeMs: number;
}

export const usualPatience: Patience = {spanMs: 30_000, waitsMs: [500, 2000, 8000], wholeMs: 120_000};
/** A line that is slower than this is taken for dead. */
const leastBytes = 1024;
const maxRedirects = 5;

/** A request. */
export interface HttpRequest {
	readonly url: URL;
	readonly headers: Readonly<Record<string, string>>;
	/** Who is told more than others: it goes to this origin alone, and no further. */
	readonly authorization: string | undefined;
	readonly follows: boolean;
	/** What is sent, in place of asking alone. It goes to no other place than the first. */
	readonly form?: URLSearchParams | undefined;
	/** Where somebody is who sends there. */
	readonly sentFrom?: Reach | undefined;
	readonly resolve: Resolve;
	readonly spanMs: number;
	/** Undefined where it may take any time, as long as bytes come. */
	readonly wholeMs: number | undefined;
	readonly signal: AbortSignal | undefined;
}

/** What answers a request. Whoever has it takes the pieces or {@link close}s it. */
export interface HttpAnswer {
	readonly url: URL;
	readonly status: number;
	/** Where whoever was asked first may be; undefined where a proxy alone knows. */
	readonly from: Reach | undefined;
	header(name: string): string | undefined;
	/** @throws VmmError REGISTRY_STALLED, REGISTRY_SLOW, REGISTRY_UNREACHABLE; the signal's reason */
	readonly pieces: AsyncIterable<Uint8Array>;
	close(): void;
}

/** Whether a proxy of the user's looks names up, and connects. */
const hasProxy = (): boolean => process.env['NODE_USE_ENV_PROXY'] === '1';

/**
 * Asks once, and follows where it is sent. Nothing leads from encrypted lines to open ones, nor from the internet to networks that only this
 * host is in, nor from those to this host.
 * @throws VmmError REGISTRY_UNREACHABLE, REGISTRY_STALLED, REGISTRY_SLOW, REGISTRY_REDIRECTED; the signal's reason
 */
export async function ask(request: HttpRequest): Promise<HttpAnswer> {
	const {url: first, signal: asked} = request;
	asked?.throwIfAborted();
	const watch = new StallWatch(request);
	const signal = asked === undefined ? watch.signal : AbortSignal.any([asked, watch.signal]);
	try {
		// Looking a name up cannot be given up by who asked.
		const firstAddresses = hasProxy() ? undefined : await untilAborted(request.resolve(first), signal);
		const from = firstAddresses?.farthest;
		if (isNearer(firstAddresses, request.sentFrom)) throw inside(first, first);
		let [url, addresses] = [first, firstAddresses];
		for (let redirects = 0; ; redirects++) {
			const isFirst = url.origin === first.origin;
			const headers = {
				...request.headers,
				...(isFirst && request.authorization !== undefined && {authorization: request.authorization}),
			};
			const response = await send({url, headers, form: request.form}, addresses, signal);
			const {statusCode: status = 0, headers: answered} = response;
			const target = answered.location;
			const isRedirect = status >= 300 && status < 400 && status !== 304 && target !== undefined;
			if (!isRedirect || !request.follows) {
				if (isRedirect) {
					response.destroy();
					throw redirected(first, `to ${target.slice(0, 200)}`);
				}
				return {
					url,
					status,
					from,
					header: (name) => [answered[name]].flat()[0],
					pieces: watched(first, response, watch, signal),
					close() {
						response.destroy();
						watch.close();
					},
				};
			}
			response.destroy();
			if (redirects === maxRedirects) throw redirected(first, `more than ${maxRedirects} times`);
			const next = URL.parse(target, url.href);
			if (next === null || !isAtLeastAsSafe(url, next)) throw redirected(first, `to ${target.slice(0, 200)}`);
			addresses = firstAddresses === undefined ? undefined : await untilAborted(request.resolve(next), signal);
			if (isNearer(addresses, from)) throw inside(first, next);
			url = next;
		}
	} catch (error) {
		watch.close();
		throw failure(first, error, signal);
	}
}

const redirected = ({href: url}: URL, what: string) => registryError('REGISTRY_REDIRECTED', {url, what});

const inside = (url: URL, {host}: URL) =>
	redirected(url, `to ${host}, which is nearer to this host than who sends there`);

const isNearer = (addresses: Addresses | undefined, from: Reach | undefined): boolean =>
	addresses !== undefined && from !== undefined && addresses.nearest > from;

const isAtLeastAsSafe = (from: URL, to: URL): boolean =>
	(to.protocol === 'https:' || (to.protocol === 'http:' && from.protocol === 'http:')) &&
	to.username === '' &&
	to.password === '';

function send(
	{url, headers, form}: Pick<HttpRequest, 'url' | 'headers' | 'form'>,
	addresses: Addresses | undefined,
	signal: AbortSignal,
): Promise<IncomingMessage> {
	return new Promise((resolve, reject) => {
		const make = url.protocol === 'https:' ? httpsRequest : httpRequest;
		const sent = form && {'content-type': 'application/x-www-form-urlencoded'};
		const options = {
			method: form === undefined ? 'GET' : 'POST',
			headers: {...headers, ...sent},
			signal,
			...(addresses !== undefined && {lookup: addresses.lookup}),
		};
		const request: ClientRequest = make(url, options, resolve);
		request.on('error', reject);
		request.end(form?.toString());
	});
}

async function* watched(
	url: URL,
	body: IncomingMessage,
	watch: StallWatch,
	signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
	try {
		for await (const piece of body) {
			watch.count((piece as Buffer).length);
			yield piece as Uint8Array;
			signal.throwIfAborted();
		}
	} catch (error) {
		throw failure(url, error, signal);
	} finally {
		watch.close();
		body.destroy();
	}
}

/** What went wrong: what was given up, what a registry did, or what the host's network says. */
function failure(url: URL, error: unknown, signal: AbortSignal): unknown {
	if (signal.aborted) return signal.reason;
	if (isVmmError(error)) return error;
	const {code, message} = error as NodeJS.ErrnoException;
	return registryError('REGISTRY_UNREACHABLE', {url: url.href, what: code ?? message}, {cause: error});
}

/** Aborts where too little comes: nothing at all, or bytes so few that it would go on for ever; and where all has to have come. */
class StallWatch {
	readonly #controller = new AbortController();
	readonly #timer: NodeJS.Timeout;
	readonly #whole: NodeJS.Timeout | undefined;
	#came = 0;

	constructor({url: {href: url}, spanMs, wholeMs}: Pick<HttpRequest, 'url' | 'spanMs' | 'wholeMs'>) {
		this.#timer = setInterval(() => {
			const isDead = this.#came < leastBytes;
			this.#came = 0;
			if (isDead) this.#end(registryError('REGISTRY_STALLED', {url, bytes: leastBytes, seconds: spanMs / 1000}));
		}, spanMs);
		// An answer that nobody takes keeps nobody waiting, and ends here.
		this.#timer.unref();
		if (wholeMs === undefined) return;
		this.#whole = setTimeout(() => {
			this.#end(registryError('REGISTRY_SLOW', {url, seconds: wholeMs / 1000}));
		}, wholeMs).unref();
	}

	get signal(): AbortSignal {
		return this.#controller.signal;
	}

	count(bytes: number): void {
		this.#came += bytes;
	}

	close(): void {
		clearInterval(this.#timer);
		clearTimeout(this.#whole);
	}

	#end(error: Error): void {
		this.close();
		this.#controller.abort(error);
	}
}
