import {createCipheriv, createHash, createHmac, pbkdf2Sync, scryptSync} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {crc32, inflateSync} from 'node:zlib';
import type {ExecutionContext} from 'ava';
import {checkFacts, doubleBits, factsOf, numbers, type Part} from './part.ts';

const data = Buffer.from(numbers);
const json = {text: 'line\n"quoted"\\', list: [1, 2.5, -0.0015, null, true, []], nested: {euro: '€', a: {b: {}}}};
/** The same with keys in order and nothing but ASCII. */
const jsonInOrder =
	'{"list":[1,2.5,-0.0015,null,true,[]],"nested":{"a":{"b":{}},"euro":"\\u20ac"},"text":"line\\n\\"quoted\\"\\\\"}';

/** Most units in the last place by which functions of two libraries may differ. */
const mostUlps = 2n;
const functions = ['sin', 'cos', 'tan', 'exp', 'log', 'atan', 'sinh', 'log1p', 'cbrt'] as const;

/** Python, its arithmetic and its libraries, held against the same of the test's own process. */
export const python: Part = {
	name: 'python',
	files: {'answers.py': readFileSync('test/guests/user-land/answers.py'), json: JSON.stringify(json)},
	lines: ['python3 answers.py'],
	check(t, output) {
		const {packed = '', ...facts} = factsOf(output);
		t.is(inflateSync(Buffer.from(packed, 'base64')).toString(), numbers.slice(0, 20_000));
		for (const name of functions) checkFunction(t, name, facts[name] ?? '');
		const rest = output.replaceAll(new RegExp(`^(packed|${functions.join('|')})=.*\\n`, 'gm'), '');
		checkFacts(t, rest, {...integers(), ...doubles(), ...decimals, ...text(), ...digests()});
	},
};

function integers(): Record<string, string> {
	const floorDivide = (a: bigint, b: bigint) => (a % b < 0n ? [a / b - 1n, (a % b) + b] : [a / b, a % b]);
	return {
		factorial: String(range(300).reduce((product, k) => product * BigInt(k), 1n)),
		power: String(power(7n, 12345678901234567890n, 10n ** 80n + 129n)),
		divmod: `(${floorDivide(-(10n ** 60n) - 7n, 10n ** 29n + 3n).join(', ')})`,
		isqrt: '1414213562373095048801688724209698078569671875376948073176679',
		gcd: String(2n ** 100n - 1n),
		inverse: String(power(3n, 2n ** 521n - 3n, 2n ** 521n - 1n)),
	};
}

/** By squaring. */
function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
	let result = 1n;
	for (let [rest, square] = [exponent, base]; rest > 0n; rest >>= 1n, square = (square * square) % modulus)
		if (rest & 1n) result = (result * square) % modulus;
	return result;
}

const range = (last: number): number[] => Array.from({length: last}, (_, index) => index + 1);

function doubles(): Record<string, string> {
	let [harmonic, product] = [0, 0];
	for (const k of range(5000)) {
		harmonic += 1 / k;
		product = product * 0.999 + Math.sqrt(k) / 3;
	}
	const parsed = '1e-320 4.9e-324 0.1 2.5e-5 123456789.987654321 1e308'.split(' ').map(Number);
	const gcd = (a: bigint, b: bigint): bigint => (b === 0n ? a : gcd(b, a % b));
	let [above, below] = [0n, 1n];
	for (const k of range(59)) [above, below] = [above * BigInt(k) + below, below * BigInt(k)];
	const common = gcd(above, below);
	return {
		harmonic: doubleBits(harmonic),
		product: doubleBits(product),
		fmod: doubleBits(1e300 % 3.7),
		shortest: range(39)
			.filter((k) => k % 7 !== 0)
			.map((k) => String(k / 7))
			.join(' '),
		parsed: doubleBits(parsed.reduce((sum, each) => sum + each, 0)),
		fractions: `${above / common}/${below / common}`,
	};
}

/** Published digits of the root of 2, e and the logarithm of 10. */
const decimals = {
	root: '1.41421356237309504880168872420969807856967187537694807317668',
	e: '2.71828182845904523536028747135266249775724709369995957496697',
	ten: '2.30258509299404568401799145468436420760110148862877297603333',
};

function text(): Record<string, string> {
	const words = [...numbers.matchAll(/(?<=\n)(\d*7)(\d)\2(?=\n)/g)].at(-1);
	return {
		json: jsonInOrder,
		words: `${words?.[1]},${words?.[2]}`,
		count: String(numbers.match(/^(?:1|2+)[3-5]{2,}(?!6)\d$/gm)?.length),
	};
}

function digests(): Record<string, string> {
	const hash = (name: string) => createHash(name).update(data).digest('hex');
	const seal = (name: string, length: number) => {
		const cipher = createCipheriv(name as 'aes-256-gcm', counted(length), counted(12), {authTagLength: 16} as never);
		cipher.setAAD(Buffer.from('extra'));
		const sealed = createHash('sha256').update(cipher.update(data)).update(cipher.final()).digest('hex');
		return `${sealed} ${cipher.getAuthTag().toString('hex')}`;
	};
	return {
		md5: hash('md5'),
		sha1: hash('sha1'),
		sha256: hash('sha256'),
		sha512: hash('sha512'),
		sha3_256: hash('sha3-256'),
		blake2b: hash('blake2b512'),
		hmac: createHmac('sha384', 'key').update(data).digest('hex'),
		pbkdf2: pbkdf2Sync('password', 'salt', 500, 32, 'sha256').toString('hex'),
		scrypt: scryptSync('password', 'salt', 32, {N: 256, r: 4, p: 1}).toString('hex'),
		crc32: String(crc32(data)),
		unpacked: 'True',
		aes_128_gcm: seal('aes-128-gcm', 16),
		aes_256_gcm: seal('aes-256-gcm', 32),
		chacha20_poly1305: seal('chacha20-poly1305', 32),
	};
}

/** Bytes 0, 1, 2 and so on. */
const counted = (length: number): Buffer => Buffer.from(Array.from({length}, (_, index) => index));

function checkFunction(t: ExecutionContext, name: (typeof functions)[number], values: string): void {
	const got = values.split(' ');
	t.is(got.length, 29, name);
	for (const [index, bits] of got.entries()) {
		const expected = doubleBits(Math[name]((index + 1) / 8));
		const difference = BigInt(`0x${bits}`) - BigInt(`0x${expected}`);
		t.true(difference <= mostUlps && difference >= -mostUlps, `${name}(${index + 1}/8) is ${bits}, not ${expected}`);
	}
}
