/** Real layers and archives, even those of empty disks, are far from this; what zlib and zstd can do is beyond. */
const bomb = {bytes: 2 ** 26, ratio: 1000} as const;

/**
 * True where something becomes so much more than it was that nothing useful does: by its compression, or by what it says of its holes.
 * @param bytes - that it has become so far @param from - bytes that were read for it
 */
export const isBomb = (bytes: number, from: number): boolean => bytes > bomb.bytes && bytes > from * bomb.ratio;
