import type {EngineName} from '#support/io-engine';

/** A disk whose content is a file's, byte by byte: a regular file or a block device. */
export interface FileDiskConfig {
	readonly path: string;
	/** Past the host's page cache (O_DIRECT): the guest's sectors are then as long as the file system wants. */
	readonly direct?: boolean;
	/** Makes the file, of this many bytes; one that is there already is refused. */
	readonly create?: number;
	/** What does the I/O; io_uring where the host has it, unless given. */
	readonly engine?: EngineName;
}
