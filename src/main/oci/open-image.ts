import type {OperationSignal} from '#support/abort';
import type {ImageConfig} from './image-config.ts';

/** Parts of the work of opening an image, in their order: each is told of in bytes. */
export type OpenStep = 'resolve' | 'download' | 'unpack' | 'write';

/** An image as a person names it, and what may be done to get it. */
export interface ImageRequest {
	/**
	 * A disk, a folder, an archive or a reference on a registry. Without a prefix the name tells which: what begins with `/`, `./`, `../` or
	 * `~/`, or ends as a disk's or an archive's does, is a path, and everything else a reference. Prefixes state it: `disk:PATH`,
	 * `folder:PATH`, `tar:PATH` (a root file system), `archive:PATH` (of images), `layout:PATH` (a folder of the OCI image layout), `registry:REFERENCE`.
	 */
	readonly image: string;
	/** Whether a folder is the machine's root itself, by a shared folder, or is copied into a disk. @default 'copy' */
	readonly folder?: 'share' | 'copy';
	/** Free space of a root that is made, in bytes. It takes nothing on the host until it is used. @default 4 GiB */
	readonly freeBytes?: number;
	/** Whether a registry is asked: where the cache has no such name, always, or never. @default 'missing' */
	readonly pull?: 'missing' | 'always' | 'never';
	/** Plain HTTP to the registry; without it to addresses of this host alone. */
	readonly plainHttp?: boolean;
	/** Who the registry is told that this is; without it as `~/.docker/config.json` has it. */
	readonly credentials?: {readonly user: string; readonly password: string};
	/** Folder of images; without it one below the user's caches. */
	readonly cache?: string;
}

/** What goes on meanwhile. */
export interface OpenOperation {
	readonly progress?: ((step: OpenStep, done: number, total: number) => void) | undefined;
	readonly signal?: OperationSignal | undefined;
}

/** An image that a machine can have as its root. */
export type OpenedImage =
	/** A disk as it is, in a format that its name or its prefix tells: it is the user's, and nobody knows what is on it. */
	| {readonly kind: 'disk'; readonly path: string; readonly format: string}
	/** A folder of the host, to be shared with the machine. */
	| {readonly kind: 'folder'; readonly path: string; readonly config: ImageConfig}
	/**
	 * An ext4 file system in a raw file, which any number of machines share: nobody writes to it, so each has a layer of its own over it
	 * (`memdiff:file:PATH`). The file stays until it is removed from the cache, and a machine that has it open keeps it.
	 */
	| {
			readonly kind: 'root';
			readonly path: string;
			readonly sizeBytes: number;
			/** What the root was made of: `sha256:` and 64 hexadecimal digits. */
			readonly digest: string;
			readonly config: ImageConfig;
	  };

/**
 * Makes an image ready to be a machine's root: fetches what is missing, and converts it once. Nothing is unpacked to the host's file
 * system, and nothing of it needs a right.
 * @throws VmmError IMAGE_*, REGISTRY_*, OCI_*, TREE_*, EXT4_*, CACHE_*; OPERATION_ABORTED where the signal asks for it
 */
export async function openImage(request: ImageRequest, operation: OpenOperation = {}): Promise<OpenedImage> {
	throw new Error(`openImage is being written: ${request.image} ${operation.signal?.aborted}`);
}
