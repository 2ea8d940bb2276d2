import {generateKeyPairSync, sign} from 'node:crypto';

/** DER (X.690): a tag, the length, and what is in it. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
	const body = Buffer.concat(parts);
	const {length} = body;
	const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
	return Buffer.concat([Buffer.from([tag, ...size]), body]);
}

const hex = (text: string) => Buffer.from(text, 'hex');
const sequence = (...parts: readonly Uint8Array[]) => der(0x30, ...parts);
const integer = (value: number) => der(2, Buffer.from([value]));
const identifier = (bytes: string) => der(6, hex(bytes));
const bits = (bytes: Uint8Array) => der(3, Buffer.from([0]), bytes);
const time = (text: string) => der(0x17, Buffer.from(text));

/** Identifiers of a common name, of subjectAltName, and of ECDSA with SHA-256 (RFC 5280, RFC 5758). */
const [commonName, alternativeName, ecdsaWithSha256] = ['550403', '551d11', '2a8648ce3d040302'].map(identifier) as [
	Buffer,
	Buffer,
	Buffer,
];

/** A new key, and a certificate of 127.0.0.1 that it has signed itself (RFC 5280, 4.1), in PEM. */
export function selfSigned(): {readonly key: string; readonly cert: string} {
	const {privateKey, publicKey} = generateKeyPairSync('ec', {namedCurve: 'prime256v1'});
	const name = sequence(der(0x31, sequence(commonName, der(0x0c, Buffer.from('a test of openvmm')))));
	const address = sequence(der(0x87, hex('7f000001')));
	const certified = sequence(
		der(0xa0, integer(2)),
		integer(1),
		sequence(ecdsaWithSha256),
		name,
		sequence(time('200101000000Z'), time('491231235959Z')),
		name,
		publicKey.export({type: 'spki', format: 'der'}),
		der(0xa3, sequence(sequence(alternativeName, der(4, address)))),
	);
	const whole = sequence(certified, sequence(ecdsaWithSha256), bits(sign('sha256', certified, privateKey)));
	const lines = whole.toString('base64').replace(/.{64}/g, '$&\n');
	return {
		key: privateKey.export({type: 'pkcs8', format: 'pem'}).toString(),
		cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
	};
}
