import {readFileSync} from 'node:fs';
import {checkFacts, doubleBits, type Part} from './part.ts';

const numbersOfProgram = 20_000;
const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

/** A compiler whose program does arithmetic, has threads and catches faults: the same is computed here, another way. */
export const compiler: Part = {
	name: 'compiler',
	files: {'compiled.c': readFileSync('test/guests/user-land/compiled.c')},
	lines: [
		...['O0', 'O2'].map((level) => `gcc -Wall -${level} -pthread compiled.c -o ${level} && ./${level} >${level}.out`),
		'cmp O0.out O2.out',
		'cat O2.out',
	],
	check: (t, output) => checkFacts(t, output, {...arithmetic(), ...threads, ...faults}),
};

const threads = {threads: '200000 200000 30'};
const faults = {divide: '1', page: '1 0x1234', write: '1', undefined: '1'};

function arithmetic(): Record<string, string> {
	let [state, sum, high] = [88172645463325252n, 0n, 0n];
	const random = () => {
		state ^= u64(state << 13n);
		state ^= state >> 7n;
		state ^= u64(state << 17n);
		return state;
	};
	const list: bigint[] = [];
	for (let i = 0; i < numbersOfProgram; i++) {
		const a = random();
		const b = random() >> BigInt(i % 60);
		const odd = b | 1n;
		const turned = u64(a << (b & 63n)) | (a >> (-b & 63n));
		sum = u64(sum + a / odd + (a % odd) + BigInt.asIntN(64, a) / BigInt.asIntN(32, odd) + turned);
		const ones = [...a.toString(2)].filter((digit) => digit === '1').length;
		high ^= u64(((a * b) >> 64n) + BigInt(ones * (64 - odd.toString(2).length)));
		list.push(a);
	}
	list.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
	let [double, single] = [0, 0];
	for (let i = 1; i <= numbersOfProgram; i++) {
		double = double / 1.001 + 1 / i - Number((list[i % numbersOfProgram] ?? 0n) >> 11n) * 2 ** -60;
		single = Math.fround(Math.fround(single * 0.75) + Math.fround(1 / i));
	}
	const floatBits = new DataView(new ArrayBuffer(4));
	floatBits.setFloat32(0, single);
	const hex = (values: readonly (bigint | undefined)[]) => values.map((each) => each?.toString(16)).join(' ');
	return {
		integers: hex([sum, high]),
		sorted: hex([list[0], list[numbersOfProgram / 2], list.at(-1)]),
		double: doubleBits(double),
		float: floatBits.getUint32(0).toString(16).padStart(8, '0'),
		long: '15511210043330985984000000',
		printf: '-7|   42|beef |010|z|text|+1.235e+04|1e-05|0003.142|0x1.999999999999ap-4|-9223372036854775807|8',
	};
}
