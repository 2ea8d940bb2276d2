import test from 'ava';
import {
	array,
	bits,
	bytes,
	choice,
	f64,
	flag,
	packed,
	range,
	reserved,
	sparse,
	text,
	u8,
	u16,
	u32,
	u64,
	union,
	wire,
} from './index.ts';

test('without offsets fields lie as C places them', (t) => {
	const Inner = wire('inner', {byte: u8, wide: u64});
	const Outer = wire('outer', {a: u8, b: u16, inner: Inner, c: u8, list: array(u32, 2)});
	t.deepEqual(
		Object.values(Outer.field).map(({offset, size}) => [offset, size]),
		[
			[0, 1],
			[2, 2],
			[8, 16],
			[24, 1],
			[28, 8],
		],
	);
	t.deepEqual([Inner.size, Outer.size, Outer.byteLength], [16, 40, 64]);
});

test('explicit offsets are those of the specification; a sparse struct leaves others out', (t) => {
	const Exact = wire('exact', {magic: text(4).at(0), length: u16.at(4), gap: reserved(2).at(6), at: u64.at(8)}).sized(
		16,
	);
	t.deepEqual([Exact.offset('at'), Exact.section], [8, undefined]);
	const Sparse = sparse('sparse', {low: u8.at(3), high: u32.at(0x21)}).sized(64, 'none, 1');
	t.deepEqual([Sparse.offset('high'), Sparse.size, Sparse.section], [0x21, 64, 'none, 1']);
});

const sourceOf = (declare: () => unknown) => declare.toString().replace(/^\(\) ?=> ?/, '');
const Arm = wire('arm', {a: u8});
const impossible: readonly [RegExp, () => unknown][] = [
	[/has no fields/, () => wire('it', {})],
	[/b is at 5, but the field before it ends at 4/, () => wire('it', {a: u32.at(0), b: u8.at(5)})],
	[/b is at 3, but the field before it ends at 4/, () => wire('it', {a: u32.at(0), b: u8.at(3)})],
	[/b is at 3, but/, () => sparse('it', {a: u32.at(0), b: u8.at(3)})],
	[/a is at 4, but/, () => wire('it', {a: u8.at(4)})],
	[/a is at -1/, () => sparse('it', {a: u8.at(-1)})],
	[/a is at 0\.5/, () => sparse('it', {a: u8.at(0.5)})],
	[/a is at NaN/, () => sparse('it', {a: u8.at(Number.NaN)})],
	[/b has no offset/, () => wire('it', {a: u8.at(0), b: u8})],
	[/a has no offset/, () => wire('it', {a: u8, b: u8.at(1)})],
	[/nothing lies between/, () => sparse('it', {a: u8})],
	[/has 5 bytes, but its fields end at 4/, () => wire('it', {a: u32}).sized(5)],
	[/has 3 bytes, but its fields end at 4/, () => sparse('it', {a: u32.at(0)}).sized(3)],
	[/has NaN bytes/, () => wire('it', {a: u32}).sized(Number.NaN)],
	[/0 is no name/, () => wire('it', {a: u8, 0: u8})],
	[/__proto__ is no name/, () => wire('it', {['__proto__']: u8})],
	[/\$bytes is no name/, () => wire('it', {$bytes: u8})],
	[/there are 0/, () => reserved(0)],
	[/there are -1/, () => bytes(-1)],
	[/there are 1\.5/, () => array(u32, 1.5)],
	[/there are 0/, () => array(Arm, 0)],
	[/there are Infinity/, () => text(Number.POSITIVE_INFINITY)],
	[/it is no u64/, () => u32.asNumber],
	[/it is no u64/, () => f64.halves],
	[/a and b both have bit 3/, () => bits(u8, {a: range(3, 0), b: flag(3)})],
	[/a is bits 8 to 8/, () => bits(u8, {a: flag(8)})],
	[/a is bits 0 to 1/, () => bits(u8, {a: range(0, 1)})],
	[/a is bits -1 to -1/, () => bits(u8, {a: flag(-1)})],
	[/more bits than a number/, () => bits(u64, {a: range(52, 0)})],
	[/a cannot be 4/, () => bits(u8, {a: choice(1, 0, {x: 4})})],
	[/two names for one/, () => bits(u8, {a: choice(1, 0, {x: 1, y: 1})})],
	[/\$value is no name/, () => bits(u8, {$value: flag(0)})],
	[/no number tag/, () => wire('it', {arm: union('tag', {a: [0, Arm]})})],
	[/no number tag/, () => wire('it', {tag: bytes(1), arm: union('tag', {a: [0, Arm]})})],
	[/two arms/, () => union('tag', {a: [0, Arm], b: [0, Arm]})],
	[/two arms/, () => union('tag', {a: [[0, 1], Arm], b: [[2, 1], Arm]})],
	[/no tag/, () => union('tag', {a: [[], Arm]})],
	[/tag lies behind it/, () => wire('it', {arm: union('tag', {a: [0, Arm]}), tag: u8})],
	[/no arms/, () => union('tag', {})],
	[/too few/, () => union('tag', {a: [0, wire('wide', {a: u64})]}, 4)],
	[/is no 32-bit word/, () => wire('it', {a: u16}).word('a')],
	[/a view has no/, () => wire('it', {a: array(u16.be, 2)}).on(new SharedArrayBuffer(64))],
	[/a view has no/, () => packed('it', {a: u8, b: array(u32, 2)}).on(new SharedArrayBuffer(64))],
	[/a view has no/, () => wire('it', {a: bits(u32.be, {on: flag(0)})}).on(new SharedArrayBuffer(64))],
];
for (const [message, declare] of impossible) {
	test(`refused when it is declared: ${sourceOf(declare)}`, (t) => {
		t.throws(declare, {code: 'WIRE_DECLARATION_INVALID', message});
	});
}

const unfitting: readonly (() => unknown)[] = [
	() => wire('it', {a: u8.initial(256)}),
	() => wire('it', {a: text(2).initial('abc')}),
	() => wire('it', {a: array(u8, 2).initial([1, 2, 3])}),
	() => wire('it', {tag: u8, arm: union('tag', {a: [256, Arm]})}),
	() => wire('it', {a: bits(u8, {on: flag(0)}).initial({on: true, off: true} as never)}),
];
for (const declare of unfitting) {
	test(`refused for its value: ${sourceOf(declare)}`, (t) => {
		t.throws(declare, {code: 'WIRE_VALUE_INVALID'});
	});
}
