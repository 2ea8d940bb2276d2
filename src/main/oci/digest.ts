/** Digests by which parts of images are named (OCI image specification 1.1, "Digests"): of its registered algorithms these two. */

import {createHash, type Hash} from 'node:crypto';
import {algorithmOf, type ChecksumAlgorithm} from '#main/debian';

/** `sha256:` and 64 hexadecimal digits, or `sha512:` and 128. */
export const digestForm: RegExp = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;
export const digestExpected = 'sha256: and 64 hexadecimal digits, or sha512: and 128';

/** The checksum of a digest. */
export const checksumOf = (digest: string): string => digest.slice(digest.indexOf(':') + 1);

/** The digest of a checksum. */
export const digestOfChecksum = (checksum: string): string => `${algorithmOf(checksum)}:${checksum}`;

/** The algorithm of a digest. */
export const digestAlgorithm = (digest: string): ChecksumAlgorithm => algorithmOf(checksumOf(digest));

/** Counts bytes as a digest does that they are to have. */
export const hashFor = (digest: string): Hash => createHash(digestAlgorithm(digest));

/** The digest of what was counted. */
export const digestOfHash = (hash: Hash): string => digestOfChecksum(hash.digest('hex'));
