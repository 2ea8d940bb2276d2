/** Formats in which kernels are shipped. Each begins with its magic number (RFC 1952, RFC 8878, the xz and lz4 formats). */
export const compressionFormats = [
	{format: 'gzip', magic: '\x1f\x8b', tool: 'gunzip', found: 'a gzip archive'},
	{format: 'zstd', magic: '\x28\xb5\x2f\xfd', tool: 'unzstd', found: 'a zstd archive'},
	{format: 'xz', magic: '\xfd7zXZ\0', tool: 'unxz', found: 'an xz archive'},
	{format: 'lz4', magic: '\x04\x22\x4d\x18', tool: 'unlz4', found: 'an lz4 archive'},
	{format: 'lz4-legacy', magic: '\x02\x21\x4c\x18', tool: 'unlz4', found: 'an lz4 archive'},
] as const;

/** One of {@link compressionFormats}. */
export type Compression = (typeof compressionFormats)[number];

/** The format that the bytes begin as, or undefined. */
export function findCompression(bytes: Uint8Array): Compression | undefined {
	const start = Buffer.from(bytes.subarray(0, 6)).toString('latin1');
	return compressionFormats.find(({magic}) => start.startsWith(magic));
}
