/** A client of registries of images, for reading (OCI distribution specification 1.1). */

import {createHash} from 'node:crypto';
import {
	ask,
	type DownloadFaults,
	type Patience as DownloadPatience,
	HostAddresses,
	type HttpAnswer,
	isLoopback,
	type Resolve,
	retried,
	usualPatience,
} from '#main/download';
import {isVmmError, type VmmErrorCode} from '#support/errors';
import {parseChallenge} from './challenge.ts';
import {basic, type Credentials} from './credentials.ts';
import {registryError} from './errors.ts';

/** How long a registry is waited for, and how often it is asked. */
export interface Patience extends DownloadPatience {
	/** In this time manifests and tokens have come whole; layers may take as long as enough comes. */
	readonly wholeMs: number;
}

const registryPatience: Patience = {...usualPatience, wholeMs: 120_000};

const late = (url: string, seconds: number) => registryError('REGISTRY_SLOW', {url, seconds});
const faults: DownloadFaults = {
	unreachable: (url, what, cause) => registryError('REGISTRY_UNREACHABLE', {url, what}, {cause}),
	stalled: (url, bytes, seconds) => registryError('REGISTRY_STALLED', {url, bytes, seconds}),
	redirected: (url, what) => registryError('REGISTRY_REDIRECTED', {url, what}),
};

/** A repository of a registry, and how it is asked. */
export interface RepositoryAddress {
	/** `HOST` or `HOST:PORT`, as names have it. */
	readonly registry: string;
	readonly repository: string;
	/** Without TLS; undefined for this host itself alone. */
	readonly plainHttp?: boolean | undefined;
	readonly credentials?: Credentials | undefined;
	readonly patience?: Patience | undefined;
	readonly resolve?: Resolve | undefined;
}

/** A manifest as a registry gives it. */
export interface GivenManifest {
	readonly bytes: Uint8Array;
	readonly mediaType: string;
	/** `sha256:` and 64 hexadecimal digits, counted here. */
	readonly digest: string;
}

/** The pieces of a blob, from one of its bytes on. */
export interface BlobPart {
	/** The byte that the first piece begins with: 0 where the registry does not give parts. */
	readonly start: number;
	readonly pieces: AsyncIterable<Uint8Array>;
	readonly url: string;
}

/** Registries take no larger manifests. */
const mostManifestBytes = 2 ** 22;
const mostTokenBytes = 2 ** 18;
const mostErrorBytes = 2 ** 14;
/** Longest time that a registry may ask to be waited for. */
const mostWaitSeconds = 60;
/** What a try may end with that another one may not. */
const passing: readonly VmmErrorCode[] = [
	'REGISTRY_UNREACHABLE',
	'REGISTRY_STALLED',
	'REGISTRY_CUT_OFF',
	'REGISTRY_BUSY',
];
/** How long a registry wants to be waited for. */
const busyMs = (error: unknown): number => {
	if (!isVmmError(error, 'REGISTRY_BUSY')) return 0;
	return ((error as {context: {seconds?: number}}).context.seconds ?? 0) * 1000;
};
/** The host that Docker's registry is reached at. */
const hosts: Readonly<Record<string, string>> = {'docker.io': 'registry-1.docker.io'};

/** Reads one repository. */
export class RegistryClient {
	readonly #base: URL;
	readonly #repository: string;
	readonly #credentials: Credentials | undefined;
	readonly #patience: Patience;
	readonly #resolve: Resolve;
	/** What it was asked with last: registries forget tokens, and are asked for new ones. */
	#authorization: string | undefined;

	constructor({
		registry,
		repository,
		plainHttp,
		credentials,
		patience = registryPatience,
		resolve = HostAddresses.of,
	}: RepositoryAddress) {
		const host = hosts[registry] ?? registry;
		const isPlain = plainHttp ?? isLoopback(new URL(`http://${host}`));
		this.#base = new URL(`${isPlain ? 'http' : 'https'}://${host}/v2/`);
		this.#repository = repository;
		this.#credentials = credentials;
		this.#patience = patience;
		this.#resolve = resolve;
	}

	/**
	 * Does something that fetches, again where it fails by what may pass.
	 * @throws VmmError what the last try throws; the signal's reason
	 */
	retried<T>(signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> {
		return retried(this.#patience, passing, signal, attempt, busyMs);
	}

	/**
	 * Fetches a manifest or an index.
	 * @param reference - a tag, or a digest, which it then has
	 * @param types - media types to take, those that are wanted most first
	 * @throws VmmError REGISTRY_*; the signal's reason
	 */
	manifest(reference: string, types: readonly string[], signal?: AbortSignal): Promise<GivenManifest> {
		const url = this.#url(`manifests/${reference}`);
		return this.retried(signal, async () => {
			const answer = await this.#get(url, {accept: types.join(', ')}, signal, {isWhole: true});
			const mediaType = (answer.header('content-type') ?? '').split(';')[0]?.trim() ?? '';
			const bytes = await gatherAtMost(answer, mostManifestBytes);
			// What registries keep beside images, and images of the first version, have types of their vendors.
			if (!types.includes(mediaType) && mediaType.startsWith('application/vnd.'))
				throw registryError('REGISTRY_MANIFEST_UNSUPPORTED', {url: url.href, type: mediaType.slice(0, 100)});
			// A login page is text, too.
			if (!types.includes(mediaType))
				throw registryError('REGISTRY_ANSWER_INVALID', {
					url: url.href,
					what: `it is ${JSON.stringify(mediaType.slice(0, 100))}, and no manifest that can be used here`,
				});
			const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
			// Of a tag the registry may say what it gives (distribution specification 1.1, "Pulling manifests").
			const said = answer.header('docker-content-digest') ?? '';
			for (const expected of [reference, said]) {
				// One of an algorithm that nobody knows here is not looked at.
				const [, algorithm] = /^(sha256|sha512):/.exec(expected) ?? [];
				if (algorithm === undefined) continue;
				const found = `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
				if (found !== expected) throw registryError('REGISTRY_FILE_DAMAGED', {url: url.href, expected, found});
			}
			return {bytes, mediaType, digest};
		});
	}

	/**
	 * Asks for a blob from one of its bytes on, once. Nothing about its bytes is checked.
	 * @throws VmmError REGISTRY_*, also while pieces are taken; the signal's reason
	 */
	async blob(digest: string, from: number, signal?: AbortSignal): Promise<BlobPart> {
		const url = this.#url(`blobs/${digest}`);
		const answer = await this.#get(url, from > 0 ? {range: `bytes=${from}-`} : {}, signal, {isPart: from > 0});
		// What lies there is longer than all of the blob: it is asked for from its beginning.
		if (answer.status === 416) {
			answer.close();
			return this.blob(digest, 0, signal);
		}
		const range = /^bytes (\d+)-/.exec(answer.header('content-range') ?? '')?.[1];
		if (answer.status === 206 && range !== String(from)) {
			answer.close();
			throw registryError('REGISTRY_ANSWER_INVALID', {
				url: url.href,
				what: `it gives bytes from ${range} on, not ${from}`,
			});
		}
		return {start: answer.status === 206 ? from : 0, pieces: answer.pieces, url: url.href};
	}

	#url(path: string): URL {
		return new URL(`${this.#repository}/${path}`, this.#base);
	}

	async #get(
		url: URL,
		headers: Readonly<Record<string, string>>,
		signal: AbortSignal | undefined,
		{isPart = false, isWhole = false}: {readonly isPart?: boolean; readonly isWhole?: boolean},
	): Promise<HttpAnswer> {
		const {spans, wholeMs} = this.#patience;
		const whole = isWhole ? {ms: wholeMs, late} : undefined;
		const asked = {resolve: this.#resolve, spans, whole, faults, signal};
		const once = () => {
			const authorization = this.#authorization;
			return ask({url, headers, authorization, follows: true, ...asked});
		};
		let answer = await once();
		if (answer.status === 401 && answer.url.origin === url.origin) {
			const challenge = answer.header('www-authenticate') ?? '';
			answer.close();
			this.#authorization = await this.#authorize({url, from: answer.from}, challenge, signal);
			if (this.#authorization !== undefined) answer = await once();
		}
		const {status} = answer;
		if (status === 200 || (isPart && (status === 206 || status === 416))) return answer;
		throw await this.#refusal(url, answer);
	}

	/** What to ask with, as a registry's challenge wants it. @throws VmmError REGISTRY_* */
	async #authorize(
		{url, from}: Pick<HttpAnswer, 'url' | 'from'>,
		header: string,
		signal: AbortSignal | undefined,
	): Promise<string | undefined> {
		const challenge = parseChallenge(header);
		const credentials = this.#credentials;
		if (challenge?.scheme === 'basic') return credentials && basic(credentials);
		if (challenge?.scheme !== 'bearer') return undefined;
		const {realm = '', service, scope = `repository:${this.#repository}:pull`} = challenge.parameters;
		const invalid = (what: string) => registryError('REGISTRY_ANSWER_INVALID', {url: url.href, what});
		const address = URL.parse(realm);
		// A password goes nowhere without TLS, but to a registry that is itself asked without.
		const isSafe = address?.protocol === 'https:' || (address?.protocol === 'http:' && url.protocol === 'http:');
		if (address === null || !isSafe || address.username !== '')
			throw invalid(`it sends to ${JSON.stringify(realm.slice(0, 200))} for a token`);
		const asked = {...(service !== undefined && {service}), scope};
		const isToken = credentials !== undefined && 'identityToken' in credentials;
		if (!isToken) for (const [name, value] of Object.entries(asked)) address.searchParams.append(name, value);
		const {spans, wholeMs} = this.#patience;
		const answer = await ask({
			url: address,
			headers: {},
			authorization: credentials && basic(credentials),
			form: isToken ? refreshForm(credentials.identityToken, asked) : undefined,
			follows: false,
			sentFrom: address.host === url.host ? undefined : from,
			resolve: this.#resolve,
			spans,
			whole: {ms: wholeMs, late},
			faults,
			signal,
		});
		if (answer.status !== 200) throw await this.#refusal(address, answer);
		const text = await gatherAtMost(answer, mostTokenBytes);
		const token = tokenOf(text);
		if (token === undefined) throw invalid(`${address.href} gives no token`);
		return `Bearer ${token}`;
	}

	async #refusal(url: URL, answer: HttpAnswer): Promise<Error> {
		const {status} = answer;
		const says = errorText(await gatherAtMost(answer, mostErrorBytes).catch(() => new Uint8Array()));
		if (status === 429) {
			const seconds = Number(answer.header('retry-after'));
			const isTold = seconds > 0 && seconds <= mostWaitSeconds;
			return registryError('REGISTRY_BUSY', {url: url.href, seconds: isTold ? seconds : undefined});
		}
		if (status >= 500 || status === 408 || status === 425)
			return registryError('REGISTRY_UNREACHABLE', {url: url.href, what: `HTTP status ${status} ${says}`.trimEnd()});
		if (status === 404) {
			const what = url.pathname.includes('/manifests/')
				? `${this.#repository} of that tag or digest`
				: 'such part of it';
			return registryError('REGISTRY_MISSING', {url: url.href, what});
		}
		return registryError('REGISTRY_REFUSED', {url: url.href, status, says, loggedIn: this.#credentials !== undefined});
	}
}

/** What a token server takes for an identity token (distribution, "OAuth 2.0 Token Authentication"). */
const refreshForm = (token: string, asked: Readonly<Record<string, string>>): URLSearchParams =>
	new URLSearchParams({...asked, grant_type: 'refresh_token', refresh_token: token, client_id: 'openvmm'});

function tokenOf(text: Uint8Array): string | undefined {
	try {
		const {token, access_token: other} = JSON.parse(Buffer.from(text).toString('utf8')) as Record<string, unknown>;
		const found = token ?? other;
		return typeof found === 'string' && /^[\x21-\x7e]+$/.test(found) ? found : undefined;
	} catch {
		return undefined;
	}
}

/** What a registry says of a refusal (distribution specification, "Error Codes"), for a person's terminal. */
function errorText(bytes: Uint8Array): string {
	try {
		const {errors} = JSON.parse(Buffer.from(bytes).toString('utf8')) as {
			errors?: readonly {code?: unknown; message?: unknown}[];
		};
		const {code, message} = errors?.[0] ?? {};
		const said = [code, message].filter((each) => typeof each === 'string').join(': ');
		return said.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 200);
	} catch {
		return '';
	}
}

async function gatherAtMost(answer: HttpAnswer, most: number): Promise<Uint8Array> {
	const taken: Uint8Array[] = [];
	let length = 0;
	for await (const piece of answer.pieces) {
		length += piece.length;
		if (length > most) throw registryError('REGISTRY_TOO_LARGE', {url: answer.url.href, most});
		taken.push(piece);
	}
	return Buffer.concat(taken);
}
