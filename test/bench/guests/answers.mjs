/**
 * Work for a compiler of JavaScript, whose code changes as it learns what its functions are called with. Answers.java has the same answers.
 * Usage: answers.mjs prints them; answers.mjs NAME TIMES works so many times and says when it begins and ends, as linux.c does.
 */
import {createHash} from 'node:crypto';

/** Numbers of 31 bits, the same each time. */
class Numbers {
	constructor(seed) {
		this.state = seed >>> 0;
	}

	next() {
		this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
		return this.state >>> 1;
	}
}

const mix = (hash, value) => (Math.imul(hash, 31) + value) | 0;
const hashOf = (text) => {
	let hash = 0;
	for (let index = 0; index < text.length; index++) hash = mix(hash, text.charCodeAt(index));
	return hash;
};

/** Objects of shapes that come late, so that what is compiled for the first ones is thrown away. */
class Shape {
	constructor(size) {
		this.size = size;
	}
}
class Square extends Shape {
	area() {
		return Math.imul(this.size, this.size);
	}
}
class Strip extends Shape {
	area() {
		return this.size * 3;
	}
}
class Broken extends Shape {
	area() {
		throw new Error(`size ${this.size}`);
	}
}

function shapes() {
	let [sum, caught, kept] = [0, 0, []];
	const random = new Numbers(7);
	for (let round = 0; round < 60_000; round++) {
		const size = random.next() % 1000;
		const kind = round < 20_000 ? 0 : round < 40_000 ? round % 2 : round % 7 === 0 ? 2 : round % 2;
		const shape = kind === 0 ? new Square(size) : kind === 1 ? new Strip(size) : new Broken(size);
		// One in eight lives for a while, the others are garbage at once.
		if (round % 8 === 0) kept.push(shape);
		if (kept.length > 3000) kept = kept.slice(1500);
		try {
			sum = mix(sum, shape.area());
		} catch (error) {
			caught = mix(caught, hashOf(error.message));
		}
	}
	return `${sum} ${caught} ${kept.length}`;
}

function sorted() {
	const random = new Numbers(11);
	const list = Array.from({length: 20_000}, () => ({key: random.next() % 5000, name: `n${random.next() % 100}`}));
	list.sort((a, b) => a.key - b.key || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
	return `${list.reduce((hash, {key, name}) => mix(mix(hash, key), hashOf(name)), 0)}`;
}

function maps() {
	const random = new Numbers(13);
	const counts = new Map();
	for (let round = 0; round < 40_000; round++) {
		const word = `w${(random.next() % 3000).toString(16)}`;
		counts.set(word, (counts.get(word) ?? 0) + 1);
	}
	let hash = 0;
	for (const word of [...counts.keys()].sort()) hash = mix(mix(hash, hashOf(word)), counts.get(word));
	return `${counts.size} ${hash}`;
}

function regexps() {
	const random = new Numbers(17);
	let text = '';
	for (let round = 0; round < 4000; round++)
		text += `${random.next() % 100_000} key${random.next() % 50}=value-${random.next() % 1000};\n`;
	const pairs = [...text.matchAll(/key(\d+)=([a-z]+)-(\d*7)(?=;)/g)];
	const doubles = text.match(/^(\d)\d*\1 key/gm).length;
	const masked = text.replace(/(\d+)(\d)(?= )/g, '<$2$1>');
	return `${pairs.length} ${pairs.reduce((sum, [, key, , value]) => sum + Number(key) * Number(value), 0)} ${doubles} ${hashOf(masked)}`;
}

function integers() {
	let [factorial, power] = [1n, 1n];
	for (let k = 1n; k <= 600n; k++) factorial *= k;
	const modulus = 10n ** 80n + 129n;
	for (let [rest, square] = [12345678901234567890n, 7n]; rest > 0n; rest >>= 1n, square = (square * square) % modulus)
		if (rest & 1n) power = (power * square) % modulus;
	const root = factorial / 3n ** 900n;
	return `${hashOf(factorial.toString())} ${power} ${hashOf(root.toString(16))}`;
}

/** Doubles in an order that leaves no freedom. */
function doubles() {
	let [sum, product] = [0, 0];
	for (let k = 1; k <= 400_000; k++) {
		sum += 1 / k;
		product = product * 0.999 + Math.sqrt(k) / 3 - (k % 3 === 0 ? Math.floor(product) / 7 : 0);
	}
	const view = new DataView(new ArrayBuffer(16));
	view.setFloat64(0, sum);
	view.setFloat64(8, product);
	return `${view.getBigUint64(0).toString(16)} ${view.getBigUint64(8).toString(16)}`;
}

const bytes = new Uint8Array(2 ** 20).map((_, index) => (index * 7 + (index >> 8)) & 0xff);

/** SHA-256 (FIPS 180-4, 6.2) in the language itself. */
function digest() {
	const primes = [];
	for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p !== 0)) primes.push(n);
	const root = (value, degree) => {
		const scaled = BigInt(value) << BigInt(32 * degree);
		let low = 0n;
		for (let bit = 1n << 40n; bit > 0n; bit >>= 1n) if ((low + bit) ** BigInt(degree) <= scaled) low += bit;
		return Number(low & 0xffffffffn) | 0;
	};
	const constants = Int32Array.from(primes, (p) => root(p, 3));
	const state = Int32Array.from(primes.slice(0, 8), (p) => root(p, 2));
	const padded = new Uint8Array(bytes.length + 64);
	padded.set(bytes);
	padded[bytes.length] = 0x80;
	new DataView(padded.buffer).setUint32(padded.length - 4, bytes.length * 8);
	const words = new Int32Array(64);
	const turn = (x, n) => (x >>> n) | (x << (32 - n));
	for (let at = 0; at < padded.length; at += 64) {
		for (let i = 0; i < 16; i++)
			words[i] =
				(padded[at + i * 4] << 24) |
				(padded[at + i * 4 + 1] << 16) |
				(padded[at + i * 4 + 2] << 8) |
				padded[at + i * 4 + 3];
		for (let i = 16; i < 64; i++) {
			const [x, y] = [words[i - 15], words[i - 2]];
			words[i] =
				(words[i - 16] +
					(turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) +
					words[i - 7] +
					(turn(y, 17) ^ turn(y, 19) ^ (y >>> 10))) |
				0;
		}
		let [a, b, c, d, e, f, g, h] = state;
		for (let i = 0; i < 64; i++) {
			const first = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + constants[i] + words[i]) | 0;
			const second = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
			[h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
		}
		for (const [i, value] of [a, b, c, d, e, f, g, h].entries()) state[i] = (state[i] + value) | 0;
	}
	return [...state].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

const library = () => createHash('sha256').update(bytes).digest('hex');

function json() {
	const random = new Numbers(19);
	const value = Array.from({length: 2000}, (_, id) => ({
		id,
		name: `n"${random.next()}\\`,
		list: [random.next() / 1024, null, true, {euro: '€'}],
	}));
	let text = JSON.stringify(value);
	for (let round = 0; round < 3; round++) text = JSON.stringify(JSON.parse(text));
	return `${text.length} ${hashOf(text)}`;
}

const answers = {shapes, sorted, maps, regexps, integers, doubles, digest, library, json};
const all = () =>
	Object.entries(answers)
		.map(([name, answer]) => `${name}=${answer()}`)
		.join('\n');

const [, , name, times] = process.argv;
if (name === undefined) console.log(all());
else {
	console.log(`work ${name} begins`);
	const [start, cpu] = [process.hrtime.bigint(), process.cpuUsage()];
	const result = all();
	for (let round = 1; round < times; round++)
		if (all() !== result) throw new Error(`work ${name} failed: not the same again`);
	const {user, system} = process.cpuUsage(cpu);
	console.log(`work ${name} ends ${hashOf(result) >>> 0} ${process.hrtime.bigint() - start} ${(user + system) * 1000}`);
}
