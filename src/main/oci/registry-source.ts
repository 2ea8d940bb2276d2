import {open, truncate} from 'node:fs/promises';
import {type Credentials, dockerCredentials, type Patience, RegistryClient, registryError} from '#main/registry';
import {isVmmError, type VmmErrorCode} from '#support/errors';
import type {ContentSource} from './complete-image.ts';
import {digestAlgorithm, digestOfChecksum} from './digest.ts';
import {ociError} from './errors.ts';
import {factsOf, type ImageStore} from './image-store.ts';
import {type Descriptor, manifestTypes} from './manifest.ts';
import {type ImageReference, referenceText} from './reference.ts';

/** How a registry is asked. */
export interface RegistryAccess {
	readonly plainHttp?: boolean | undefined;
	/** Without them, what `docker login` has written, or a helper program keeps. */
	readonly credentials?: Credentials | undefined;
	readonly patience?: Patience | undefined;
}

/** What has come before these is of no use to the next try. */
const useless: readonly VmmErrorCode[] = ['REGISTRY_MISSING', 'REGISTRY_TOO_LARGE', 'REGISTRY_FILE_DAMAGED'];
const types = Object.keys(manifestTypes);

/** An image on a registry, whose parts go into the cache by what is verified alone. */
export class RegistrySource implements ContentSource {
	readonly where: string;
	readonly #store: ImageStore;
	readonly #client: RegistryClient;
	readonly #reference: ImageReference;
	readonly #signal: AbortSignal | undefined;

	private constructor(store: ImageStore, client: RegistryClient, reference: ImageReference, signal?: AbortSignal) {
		this.where = referenceText(reference);
		this.#store = store;
		this.#client = client;
		this.#reference = reference;
		this.#signal = signal;
	}

	/** @throws VmmError REGISTRY_CREDENTIALS_INVALID, REGISTRY_HELPER_FAILED; the signal's reason */
	static async open(
		store: ImageStore,
		reference: ImageReference,
		{plainHttp, credentials, patience}: RegistryAccess,
		signal?: AbortSignal,
	): Promise<RegistrySource> {
		const {registry, repository} = reference;
		const known = credentials ?? (await dockerCredentials(registry, process.env, signal));
		const client = new RegistryClient({registry, repository, plainHttp, credentials: known, patience});
		return new RegistrySource(store, client, reference, signal);
	}

	/** Asks what the name stands for, and keeps that. @throws VmmError REGISTRY_*; the signal's reason */
	async top(): Promise<Descriptor> {
		const {digest: asked, tag = 'latest'} = this.#reference;
		const {bytes, mediaType} = await this.#client.manifest(asked ?? tag, types, this.#signal);
		return {digest: await this.#store.add(bytes), mediaType, size: bytes.length};
	}

	async fetch(part: Descriptor, kind: 'manifest' | 'blob', came: (bytes: number) => void): Promise<void> {
		if (kind === 'blob') {
			await this.#client.retried(this.#signal, () => this.#fetchOnce(part, came));
			return;
		}
		const {bytes, mediaType} = await this.#client.manifest(part.digest, types, this.#signal);
		// The index told what it is: who answers otherwise means something else by it.
		const what = bytes.length === part.size ? mediaType : `${bytes.length} bytes of ${mediaType}`;
		if (what !== part.mediaType)
			throw ociError('OCI_BLOB_DAMAGED', {digest: part.digest, where: this.where, found: what});
		await this.#store.add(bytes, digestAlgorithm(part.digest));
	}

	/** Fetches what is missing of a blob. */
	async #fetchOnce({digest, size}: Descriptor, came: (bytes: number) => void): Promise<void> {
		const facts = factsOf({digest, size});
		const partial = await this.#store.begin(facts);
		/** Fetches it from a byte on, and takes it if it is what it has to be. */
		const goOn = async (from: number) => {
			const {start, pieces, url} = await this.#client.blob(digest, from, this.#signal);
			await truncate(partial.path, start);
			let length = start;
			await using file = await open(partial.path, 'a');
			for await (const piece of pieces) {
				length += piece.length;
				if (length > size) throw registryError('REGISTRY_TOO_LARGE', {url, most: size});
				await file.appendFile(piece);
				came(length);
			}
			if (length < size) throw registryError('REGISTRY_CUT_OFF', {url, bytes: length, expected: size});
			return {...(await this.#store.finish(partial, facts)), url};
		};
		try {
			let ended = await goOn(partial.length < size ? partial.length : 0);
			// What was there may have been of another try that went wrong.
			if (ended.path === undefined && partial.length > 0) ended = await goOn(0);
			if (ended.path !== undefined) return;
			const found = digestOfChecksum(ended.checksum);
			throw registryError('REGISTRY_FILE_DAMAGED', {url: ended.url, expected: digest, found});
		} catch (error) {
			const isUseless = useless.some((code) => isVmmError(error, code));
			await (isUseless ? this.#store.drop(partial) : this.#store.giveUp(partial, facts));
			throw error;
		}
	}
}
