import {
	createCipheriv,
	createHash,
	createPublicKey,
	generateKeyPairSync,
	type KeyObject,
	sign,
	verify,
} from 'node:crypto';
import {numbers, type Part} from './part.ts';

const digests = {
	md5: 'md5',
	sha1: 'sha1',
	sha256: 'sha256',
	sha512: 'sha512',
	'sha3-256': 'sha3-256',
	blake2b512: 'blake2b512',
} as const;
const key = Buffer.from(Array.from({length: 32}, (_, index) => index * 7));
const initial = Buffer.from(Array.from({length: 16}, (_, index) => 255 - index));
/** Each with the bytes of its key. */
const ciphers = {'aes-128-cbc': 16, 'aes-256-cbc': 32, 'aes-128-ctr': 16, 'aes-256-ctr': 32, chacha20: 32} as const;

const keys = {
	rsa: generateKeyPairSync('rsa', {modulusLength: 2048}),
	ecdsa: generateKeyPairSync('ec', {namedCurve: 'P-256'}),
	ed25519: generateKeyPairSync('ed25519'),
};
const data = Buffer.from(numbers);
const hashes = {rsa: 'sha256', ecdsa: 'sha256', ed25519: null} as const;
const names = ['rsa', 'ecdsa', 'ed25519'] as const;

const privatePem = (from: KeyObject) => from.export({type: 'pkcs8', format: 'pem'}).toString();
const publicPem = (from: KeyObject) => createPublicKey(from).export({type: 'spki', format: 'pem'}).toString();

/** Arguments of `openssl pkeyutl` for what is signed. */
const ofData = (name: (typeof names)[number], file: string) =>
	`-rawin -in ${file}${hashes[name] ? ' -digest sha256' : ''}`;

/** Digests, ciphers and signatures, held against those of the test's own process. */
export const openssl: Part = {
	name: 'openssl',
	files: Object.fromEntries(
		names.flatMap((name) => [
			[`${name}.key`, privatePem(keys[name].privateKey)],
			[`${name}.pub`, publicPem(keys[name].privateKey)],
			[`${name}.sig`, sign(hashes[name], data, keys[name].privateKey)],
		]),
	),
	lines: [
		...Object.keys(digests).map((name) => `echo ${name}=$(openssl dgst -${name} -r data | cut -d" " -f1)`),
		...Object.entries(ciphers).flatMap(([name, bytes]) => {
			const words = `openssl enc -${name} -K ${key.toString('hex', 0, bytes)} -iv ${initial.toString('hex')}`;
			return [
				`${words} -in data -out sealed`,
				`echo ${name}=$(sha256sum <sealed | cut -d" " -f1)`,
				`${words} -d -in sealed | cmp - data`,
			];
		}),
		'(cat data; echo) >other',
		...names.flatMap((name) => [
			`openssl pkeyutl -sign -inkey ${name}.key ${ofData(name, 'data')} -out made`,
			`echo ${name}=$(base64 -w0 made)`,
			`openssl pkeyutl -verify -pubin -inkey ${name}.pub -sigfile ${name}.sig ${ofData(name, 'data')}`,
			`! openssl pkeyutl -verify -pubin -inkey ${name}.pub -sigfile ${name}.sig ${ofData(name, 'other')}`,
		]),
	],
	check(t, output) {
		const said = Object.fromEntries([...output.matchAll(/^([\w-]+)=(.*)$/gm)].map(([, name, value]) => [name, value]));
		for (const [name, algorithm] of Object.entries(digests))
			t.is(said[name], createHash(algorithm).update(data).digest('hex'), name);
		for (const [name, bytes] of Object.entries(ciphers)) {
			const cipher = createCipheriv(name, key.subarray(0, bytes), initial);
			const sealed = Buffer.concat([cipher.update(data), cipher.final()]);
			t.is(said[name], createHash('sha256').update(sealed).digest('hex'), name);
		}
		for (const name of names) {
			const made = Buffer.from(said[name] ?? '', 'base64');
			t.true(verify(hashes[name], data, keys[name].publicKey, made), `${name}: ${said[name]}`);
		}
		t.is(output.match(/^Signature Verified Successfully$/gm)?.length, names.length, output);
		t.is(output.match(/^Signature Verification Failure$/gm)?.length, names.length, output);
	},
};
