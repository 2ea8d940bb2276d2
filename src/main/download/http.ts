import {type ClientRequest, request as httpRequest, type IncomingMessage} from 'node:http';
import {request as httpsRequest} from 'node:https';
import {untilAborted} from '#support/abort';
import type {Addresses, Reach, Resolve} from './addresses.ts';
import type {DownloadFaults} from './faults.ts';
import type {Span, Whole} from './patience.ts';
import {downloadError, StallWatch, watched} from './stall-watch.ts';

const maxRedirects = 5;

/** A request. */
export interface HttpRequest {
	readonly url: URL;
	readonly headers: Readonly<Record<string, string>>;
	/** Who is told more than others: it goes to this origin alone, and no further. */
	readonly authorization?: string | undefined;
	readonly follows: boolean;
	/** What is sent, in place of asking alone. It goes to no other place than the first. */
	readonly form?: URLSearchParams | undefined;
	/** Where somebody is who sends there. */
	readonly sentFrom?: Reach | undefined;
	readonly resolve: Resolve;
	readonly spans: readonly Span[];
	/** Undefined where it may take any time, as long as enough comes. */
	readonly whole?: Whole | undefined;
	readonly faults: DownloadFaults;
	readonly signal: AbortSignal | undefined;
}

/** What answers a request. Whoever has it takes the pieces or {@link close}s it. */
export interface HttpAnswer {
	readonly url: URL;
	readonly status: number;
	/** Where whoever was asked first may be; undefined where a proxy alone knows. */
	readonly from: Reach | undefined;
	header(name: string): string | undefined;
	/** @throws VmmError of the request's faults; the signal's reason */
	readonly pieces: AsyncIterable<Uint8Array>;
	close(): void;
}

/** Whether a proxy of the user's looks names up, and connects. */
const hasProxy = (): boolean => process.env['NODE_USE_ENV_PROXY'] === '1';

/**
 * Asks once, and follows where it is sent. Nothing leads from encrypted lines to open ones, nor from the internet to networks that only this
 * host is in, nor from those to this host.
 * @throws VmmError of the request's faults; the signal's reason
 */
export async function ask(request: HttpRequest): Promise<HttpAnswer> {
	const {url: first, signal: asked, faults} = request;
	asked?.throwIfAborted();
	const watch = new StallWatch(first, request.spans, faults, request.whole);
	const signal = asked === undefined ? watch.signal : AbortSignal.any([asked, watch.signal]);
	const redirected = (what: string) => faults.redirected(first.href, what);
	const inside = ({host}: URL) => redirected(`to ${host}, which is nearer to this host than who sends there`);
	try {
		// Looking a name up cannot be given up by who asked.
		const firstAddresses = hasProxy() ? undefined : await untilAborted(request.resolve(first), signal);
		const from = firstAddresses?.farthest;
		if (isNearer(firstAddresses, request.sentFrom)) throw inside(first);
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
					throw redirected(`to ${target.slice(0, 200)}`);
				}
				return {
					url,
					status,
					from,
					header: (name) => [answered[name]].flat()[0],
					pieces: watched(response, {url: first, watch, signal, faults}),
					close() {
						response.destroy();
						watch.close();
					},
				};
			}
			response.destroy();
			if (redirects === maxRedirects) throw redirected(`more than ${maxRedirects} times`);
			const next = URL.parse(target, url.href);
			if (next === null || !isAtLeastAsSafe(url, next)) throw redirected(`to ${target.slice(0, 200)}`);
			addresses = firstAddresses === undefined ? undefined : await untilAborted(request.resolve(next), signal);
			if (isNearer(addresses, from)) throw inside(next);
			url = next;
		}
	} catch (error) {
		watch.close();
		throw downloadError(error, {url: first, signal, faults});
	}
}

const isNearer = (addresses: Addresses | undefined, from: Reach | undefined): boolean =>
	addresses !== undefined && from !== undefined && addresses.nearest > from;

/** No redirection leads from encrypted lines to open ones, to files of the host, or to where it names a user. */
export const isAtLeastAsSafe = (from: URL, to: URL): boolean =>
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
