import {setFlagsFromString} from 'node:v8';
import test from 'ava';
import {unchecked} from '#support/trust';
import {
	array,
	bits,
	bytes,
	checksum,
	choice,
	concatBytes,
	f64,
	flag,
	GuestReader,
	type InputOf,
	i32,
	i64,
	littleEndian,
	packed,
	range,
	reserved,
	text,
	u8,
	u16,
	u32,
	u64,
	union,
	wire,
} from './index.ts';

const Pair = wire('pair', {low: u16, high: u32.initial(9)});
const Mode = bits(u32, {on: flag(31), level: range(6, 3), kind: choice(1, 0, {off: 0, slow: 1})});
const Sample = wire('sample', {
	flag: u8,
	port: u16.be,
	word: u32.initial(0x1234_5678),
	wide: u64,
	address: u64.asNumber,
	counter: u64.halves,
	signed: i32,
	mode: Mode,
	longs: i64,
	time: f64,
	name: text(6),
	gap: reserved(2),
	pair: Pair,
	pairs: array(Pair, 2),
	words: array(u32, 2),
	tail: bytes(3),
}).sized(104);
const sample = {
	flag: 255,
	port: 0x0102,
	word: 0xfedc_ba98,
	wide: 0xffff_ffff_ffff_fff0n,
	address: 2 ** 52 - 1,
	counter: 0x1_0000_0002n,
	signed: -5,
	mode: {on: true, level: 15, kind: 'slow'},
	longs: -(2n ** 63n),
	time: 1.5,
	name: 'abc',
	pair: {low: 1, high: 2},
	pairs: [
		{low: 3, high: 4},
		{low: 5, high: 6},
	],
	words: [7, 8],
	tail: Uint8Array.of(1, 2, 3),
} as const;

test('a struct read back is the struct written, wherever it lies', (t) => {
	const target = new Uint8Array(200).fill(0xff);
	Sample.write(target.subarray(1), 4, sample);
	t.deepEqual(Sample.read(target.subarray(1), 4), sample);
	t.deepEqual([target[4], target[5 + Sample.size]], [0xff, 0xff], 'nothing outside is written');
	t.deepEqual([...target.subarray(5 + Sample.offset('port'), 5 + Sample.offset('port') + 2)], [1, 2]);
});

test('what is not given has its value after reset, and a patch changes nothing else', (t) => {
	const target = new Uint8Array(Sample.size).fill(0xff);
	Sample.write(target, 0, {flag: 1, pairs: [{low: 2}]});
	const {flag, word, pair, pairs} = Sample.read(target);
	t.deepEqual(
		[flag, word, pair, pairs],
		[
			1,
			0x1234_5678,
			{low: 0, high: 9},
			[
				{low: 2, high: 9},
				{low: 0, high: 9},
			],
		],
	);
	Sample.patch(target, 0, {flag: 3, pair: {low: 4}});
	t.deepEqual(Sample.read(target), {...Sample.read(target), flag: 3, word, pair: {low: 4, high: 9}, pairs});
});

test('a double and halves of a view are arrays in place, in structs of a list too', (t) => {
	const Timer = wire('timer', {armed: u8, due: f64, count: u64.halves.initial(2n ** 33n + 5n)});
	const Timers = wire('timers', {first: u32, timers: array(Timer, 2)});
	const {timers} = Timers.on(new SharedArrayBuffer(64 + Timers.byteLength), 64);
	for (const timer of timers) {
		Timer.reset(timer);
		const [due, count] = [Timer.cell(timer, 'due'), Timer.pair(timer, 'count')];
		t.deepEqual([due.length, ...count], [1, 5, 2]);
		due[0] = 2 ** 40 + 0.5;
		count[1]--;
		t.deepEqual(Timer.decode(timer), {armed: 0, due: 2 ** 40 + 0.5, count: 2n ** 32n + 5n});
	}
});

test('a view has the same struct, reset, in shared memory, also of another thread', (t) => {
	const buffer = new SharedArrayBuffer(2 * Sample.byteLength);
	const [one, two] = [Sample.on(buffer, Sample.byteLength), Sample.on(buffer, Sample.byteLength)];
	Sample.reset(one);
	t.deepEqual(Sample.decode(two), Sample.read(Sample.encode({})));
	one.flag = 0x1ff;
	one.port = 0x0304;
	one.address = 2 ** 40 + 7;
	one.counter.high = 3;
	one.counter.low--;
	one.mode.on = true;
	one.mode.kind = 'slow';
	one.mode.level = 0x1f;
	one.name = 'xyz';
	one.wide = 5n;
	if (one.pairs[1]) one.pairs[1].high = 77;
	one.words[1] = -1;
	one.tail[2] = 9;
	t.deepEqual(Sample.decode(two), {
		...Sample.read(Sample.encode({})),
		flag: 0xff,
		port: 0x0304,
		address: 2 ** 40 + 7,
		counter: 0x3_ffff_ffffn,
		mode: {on: true, level: 15, kind: 'slow'},
		name: 'xyz',
		wide: 5n,
		pairs: [
			{low: 0, high: 9},
			{low: 0, high: 77},
		],
		words: [0, 0xffff_ffff],
		tail: Uint8Array.of(0, 0, 9),
	});
	t.is(two.mode.$value, 0x8000_0079);
	t.is(Atomics.add(one.$atomic, Sample.word('signed'), -5), 0);
	t.is(two.signed, -5);
	t.true(
		new Uint8Array(buffer, 0, Sample.byteLength).every((byte) => byte === 0),
		'the struct before it is as it was',
	);
});

test('a single field is read and written without the others', (t) => {
	const view = new DataView(Sample.encode(sample).buffer);
	t.is(Sample.field.wide.get(view), sample.wide);
	Sample.field.word.set(view, 0, 1);
	t.deepEqual(Sample.read(view), {...sample, word: 1});
	t.throws(() => Sample.field.word.set(view, 0, -1), {code: 'WIRE_VALUE_INVALID', message: /sample\.word/});
});

test('fits says whether all of a struct is there', (t) => {
	const room = new Uint8Array(Sample.size + 1);
	t.deepEqual(
		[-1, 0, 1, 2, 0.5, Number.NaN, 2 ** 60].map((at) => Sample.fits(room, at)),
		[false, true, true, false, false, false, false],
	);
});

const refused: readonly [string, InputOf<typeof Sample>][] = [
	['sample.flag', {flag: 256}],
	['sample.flag', {flag: -1}],
	['sample.flag', {flag: 0.5}],
	['sample.flag', {flag: Number.NaN}],
	['sample.flag', {flag: '1' as never}],
	['sample.word', {word: 2n ** 32n}],
	['sample.wide', {wide: 2n ** 64n}],
	['sample.wide', {wide: -1}],
	['sample.address', {address: -1}],
	['sample.signed', {signed: 2 ** 31}],
	['sample.longs', {longs: 2n ** 63n}],
	['sample.name', {name: 'seventh'}],
	['é', {name: 'é'}],
	['sample.mode.level', {mode: {level: 16}}],
	['sample.mode.kind', {mode: {kind: 'fast' as 'slow'}}],
	['sample.mode.kind', {mode: {kind: 'toString' as 'slow'}}],
	['sample.mode.on', {mode: {on: 1 as never}}],
	['sample.mode.off', {mode: {off: true} as never}],
	['sample.mode', {mode: 2 ** 32}],
	['sample.words', {words: [1, 2, 3]}],
	['sample.words', {words: [-1]}],
	['sample.pairs', {pairs: [{}, {}, {}]}],
	['pair.low', {pairs: [{}, {low: 2 ** 16}]}],
	['sample.tail', {tail: new Uint8Array(4)}],
];
for (const [field, input] of refused) {
	const title = JSON.stringify(input, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
	test(`${title} is refused, by the name of the field`, (t) => {
		const {message} = t.throws(() => Sample.encode(input), {code: 'WIRE_VALUE_INVALID'});
		t.true(message.includes(`${field} `) || message.includes(`"${field}"`), message);
	});
}

const Entry = wire('entry', {
	type: u32,
	arm: union('type', {pin: [1, wire('pin', {chip: u8, pin: u32})], message: [2, wire('message', {data: u64})]}, 24),
	after: u32,
});

test('a tag chooses the arm of a union, and writing an arm sets the tag', (t) => {
	const entry = {type: 2, arm: {kind: 'message', value: {data: 5n}}, after: 7} as const;
	t.deepEqual(Entry.read(Entry.encode({arm: entry.arm, after: 7})), entry);
	const view = Entry.on(Entry.encode(entry).buffer);
	t.deepEqual([view.arm.message.data, view.arm.pin.chip], [5n, 5]);
	t.throws(() => Entry.encode({arm: {kind: 'none' as 'pin', value: {}}}), {code: 'WIRE_VALUE_INVALID'});
});

test('a union whose tag names no arm is bytes, which come back', (t) => {
	const value = new Uint8Array(24).fill(3);
	const entry = {type: 9, arm: {kind: undefined, value}, after: 0};
	t.deepEqual(Entry.read(Entry.encode(entry)), entry);
	t.throws(() => Entry.encode({arm: {kind: undefined, value: new Uint8Array(25)}}), {code: 'WIRE_VALUE_INVALID'});
});

test('a union and a whole struct may have values after reset', (t) => {
	const Arm = wire('arm', {low: u8.initial(7), high: u8});
	const Tagged = wire('tagged', {tag: u8, arm: union('tag', {one: [3, Arm]}).initial({kind: 'one', value: {high: 2}})});
	t.deepEqual([...Tagged.encode({})], [3, 7, 2]);
	const Other = Tagged.initial({tag: 4});
	t.deepEqual(
		[[...Other.encode({})], [...Tagged.initialBytes]],
		[
			[4, 7, 2],
			[3, 7, 2],
		],
	);
	const Outer = wire('outer', {first: Arm, second: Arm.initial({high: 9}), list: array(Arm.initial({low: 1}), 2)});
	t.deepEqual([...Outer.encode({})], [7, 0, 7, 9, 1, 0, 1, 0]);
	t.throws(() => Arm.initial({low: 256}), {code: 'WIRE_VALUE_INVALID'});
});

test('registers of bits keep bits without a name, and the parts that cross their halves', (t) => {
	const Entry64 = bits(u64, {present: flag(0), frame: range(51, 12), key: range(62, 59), noExecute: flag(63)});
	const all = {present: true, frame: 0xf_edcb_a987, key: 5, noExecute: true};
	const Table = wire('table', {entry: Entry64});
	const view = Table.on(Table.encode({entry: all}).buffer);
	t.is(view.entry.$value, 0xa800_fedc_ba98_7001n);
	t.deepEqual({...all}, {present: view.entry.present, frame: view.entry.frame, key: view.entry.key, noExecute: true});
	view.entry.frame = 0x1_0000_0001;
	view.entry.key = 0xff;
	view.entry.present = false;
	t.is(view.entry.$value, 0xf800_1000_0000_1000n);
	t.deepEqual(Table.decode(view).entry, {present: false, frame: 0x1_0000_0001, key: 15, noExecute: true});
	t.deepEqual(Mode.decode(0x4000_0002), {on: false, level: 0, kind: 2, $other: 0x4000_0000});
	t.is(Mode.encode(Mode.decode(0xffff_ffff)), 0xffff_ffff);
});

test('a packed struct has no padding, and its numbers are reached all the same', (t) => {
	const Packed = packed('packed', {a: u8, b: u32, c: u64.asNumber, d: u16.be}).sized(15);
	const buffer = new ArrayBuffer(32);
	const view = Packed.on(buffer, 3);
	Object.assign(view, {a: 1, b: 0x0605_0403, c: 2 ** 33, d: 0x0a0b});
	t.deepEqual([...new Uint8Array(buffer, 3, 15)], [1, 3, 4, 5, 6, 0, 0, 0, 0, 2, 0, 0, 0, 10, 11]);
	t.deepEqual(Packed.decode(view), {a: 1, b: 0x0605_0403, c: 2 ** 33, d: 0x0a0b});
});

for (const Layout of [Pair, packed('odd', {low: u16, high: u32.initial(9)})])
	test(`a guest’s struct of ${Layout.size} bytes is copied once, and what the guest changes then is not seen`, (t) => {
		const memory = Layout.encode({low: 3});
		const copies: number[][] = [];
		const copyOut = (gpa: number, target: Uint8Array) => {
			copies.push([gpa, target.length]);
			if (gpa !== 0x1000) return false;
			target.set(memory);
			return true;
		};
		const reader = new GuestReader(Layout, {
			copyOut,
			copyWordsOut: (gpa, {buffer, byteLength}) => copyOut(gpa, new Uint8Array(buffer, 0, byteLength)),
		});
		t.is(reader.load(0x2000), undefined);
		const pair = reader.load(0x1000);
		memory.fill(0xff);
		t.deepEqual([pair && unchecked(pair.low), pair && unchecked(pair.high)], [3, 9]);
		t.deepEqual(copies, [
			[0x2000, Layout.size],
			[0x1000, Layout.size],
		]);
	});

test('a number as bytes keeps all its bits, and one that does not fit is refused', (t) => {
	t.deepEqual([...littleEndian(0xfedc_ba98_7654_3210n, 8)], [0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe]);
	t.throws(() => littleEndian(0x1_0000, 2), {code: 'WIRE_VALUE_INVALID'});
	t.throws(() => littleEndian(-1, 2), {code: 'WIRE_VALUE_INVALID'});
});

test('a checksum makes the sum of all bytes zero', (t) => {
	const bytes = Uint8Array.of(1, 2, 250);
	const sum = concatBytes(bytes, Uint8Array.of(checksum(bytes))).reduce((a, b) => a + b, 0);
	t.is(sum & 0xff, 0);
});

test('V8 keeps a view of many structs as an object with a shape, not as a dictionary', (t) => {
	setFlagsFromString('--allow-natives-syntax');
	const isFast = new Function('object', 'return %HasFastProperties(object)') as (object: object) => boolean;
	setFlagsFromString('--no-allow-natives-syntax');
	for (const count of [1, 5, 6, 12, 30, 60]) {
		const fields = Object.fromEntries(Array.from({length: count}, (_, index) => [`pair${index}`, Pair]));
		const view = wire('many', fields).on(new SharedArrayBuffer(1024));
		t.true(isFast(view), `${count}`);
	}
});
