/** Signatures of releases, by OpenPGP (RFC 9580). The library is loaded where there is one to check. */

import {createHash} from 'node:crypto';
import {readFile, stat} from 'node:fs/promises';
import type {Key, VerifyMessageResult} from 'openpgp';
import {isVmmError} from '#support/errors';
import {mirrorError} from './errors.ts';

/** Public keys that are trusted. */
export interface Keyring {
	/** Where it was read; for errors. */
	readonly path: string;
	readonly bytes: Uint8Array;
}

/** A release as a mirror gives it: with its signature in it, or beside it. */
export type SignedRelease = {
	/** For errors. */
	readonly url: string;
} & ({readonly inline: Uint8Array} | {readonly text: Uint8Array; readonly signature: Uint8Array});

/** Where Debian and what is made of it keep Debian's keys. */
const usualKeyrings = ['gpg', 'pgp'].map((ending) => `/usr/share/keyrings/debian-archive-keyring.${ending}`);
/** Debian's keys of ten years have 60 KB. */
const maxKeyringBytes = 2 ** 24;

/**
 * Reads the keyring of a file, or of this host without one.
 * @throws VmmError MIRROR_KEYRING_MISSING, MIRROR_KEYRING_INVALID
 */
export async function findKeyring(path?: string): Promise<Keyring> {
	const looked = path === undefined ? usualKeyrings : [path];
	let errno = 'ENOENT';
	for (const each of looked) {
		try {
			const {size} = await stat(each);
			if (size > maxKeyringBytes)
				throw mirrorError('MIRROR_KEYRING_INVALID', {path: each, what: `it has ${size} bytes`});
			return {path: each, bytes: await readFile(each)};
		} catch (error) {
			if (isVmmError(error)) throw error;
			errno = (error as NodeJS.ErrnoException).code ?? errno;
		}
	}
	throw mirrorError('MIRROR_KEYRING_MISSING', {looked, errno});
}

/** The checksum of a keyring: what it has vouched for in a cache is not what another one does. */
export const keyringChecksum = ({bytes}: Keyring): string => createHash('sha256').update(bytes).digest('hex');

const isArmored = (bytes: Uint8Array): boolean =>
	Buffer.from(bytes.subarray(0, 1024)).toString('latin1').trimStart().startsWith('-----BEGIN PGP');

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

/**
 * Checks who has signed a release. One signature by a trusted key does, as apt has it: a release that many sign stays good where
 * this host knows some of them. The key has to be good at this time, and the checksum that is signed no broken one.
 * @param now - when, in seconds since 1970
 * @returns what is signed, and nothing that stands around it
 * @throws VmmError MIRROR_KEYRING_INVALID, MIRROR_SIGNATURE_MISSING, MIRROR_SIGNER_UNKNOWN, MIRROR_SIGNATURE_WRONG
 */
export async function verifiedText(release: SignedRelease, keyring: Keyring, now: number): Promise<string> {
	const {url} = release;
	const keys = await readKeyring(keyring);
	const date = new Date(now * 1000);
	const {data, signatures} = await readSigned(release, keys, date);
	const problems: string[] = [];
	const unknown: string[] = [];
	for (const {keyID, verified} of signatures) {
		const signer = keys.find((key) => key.getKeys(keyID).length > 0);
		if (signer === undefined) {
			verified.catch(() => {});
			unknown.push(keyID.toHex().toUpperCase());
			continue;
		}
		try {
			await verified;
			// The library asks whether the key was good when it signed; since then it may have expired, or been withdrawn.
			await signer.getSigningKey(keyID, date);
			return data;
		} catch (error) {
			problems.push(`${(error as Error).message} (key ${keyID.toHex().toUpperCase()})`);
		}
	}
	if (problems.length > 0) throw mirrorError('MIRROR_SIGNATURE_WRONG', {url, what: problems.join(', ')});
	if (unknown.length === 0) throw mirrorError('MIRROR_SIGNATURE_MISSING', {url, what: 'it has no signature'});
	throw mirrorError('MIRROR_SIGNER_UNKNOWN', {url, keys: unknown, keyring: keyring.path});
}

async function readKeyring({path, bytes}: Keyring): Promise<Key[]> {
	const {readKeys} = await import('openpgp');
	let what = 'it has no key in it';
	const read = isArmored(bytes) ? readKeys({armoredKeys: text(bytes)}) : readKeys({binaryKeys: bytes});
	const keys = await read.catch((error) => {
		what = error.message;
		return [];
	});
	if (keys.length === 0) throw mirrorError('MIRROR_KEYRING_INVALID', {path, what});
	return keys;
}

/** What is signed, with its signatures, which are not yet known to hold. */
interface Signed {
	readonly data: string;
	readonly signatures: VerifyMessageResult['signatures'];
}

async function readSigned(release: SignedRelease, verificationKeys: Key[], date: Date): Promise<Signed> {
	const {createMessage, readCleartextMessage, readSignature, verify} = await import('openpgp');
	try {
		if ('inline' in release) {
			const message = await readCleartextMessage({cleartextMessage: text(release.inline)});
			const {signatures} = await verify({message, verificationKeys, date});
			return {data: message.getText(), signatures};
		}
		const {signature: bytes} = release;
		const signature = isArmored(bytes)
			? await readSignature({armoredSignature: text(bytes)})
			: await readSignature({binarySignature: bytes});
		const message = await createMessage({binary: release.text});
		const {signatures} = await verify({message, signature, verificationKeys, date});
		return {data: text(release.text), signatures};
	} catch (error) {
		throw mirrorError('MIRROR_SIGNATURE_MISSING', {url: release.url, what: (error as Error).message});
	}
}
