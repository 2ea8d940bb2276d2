import test from 'ava';
import {
	argument,
	buffer,
	busNumbers,
	device,
	dwordFields,
	eisaId,
	elementOf,
	equal,
	integer,
	interrupt,
	ioPorts,
	irq,
	memory32Fixed,
	memoryRegion,
	method,
	name,
	namePath,
	notify,
	packageOf,
	portWindow,
	qwordMemory,
	resourceTemplate,
	returns,
	scope,
	store,
	string,
	uuid,
	when,
	withPackageLength,
} from './index.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test('names are padded, and carry a prefix by the number of segments', (t) => {
	t.is(hex(namePath('_S5')), hex(Buffer.from('_S5_')));
	t.is(hex(namePath('\\')), '5c00');
	t.is(hex(namePath('\\_SB')), `5c${hex(Buffer.from('_SB_'))}`);
	t.is(hex(namePath('\\_SB.PCI0')), `5c2e${hex(Buffer.from('_SB_PCI0'))}`);
	t.is(hex(namePath('A.B.C')), `2f03${hex(Buffer.from('A___B___C___'))}`);
});

for (const bad of ['', 'TOOLONG', 'lower', '1ABC', 'A..B', '.A']) {
	test(`${JSON.stringify(bad)} is not a name`, (t) => {
		t.throws(() => namePath(bad), {instanceOf: RangeError});
	});
}

test('integers take the shortest of six forms', (t) => {
	t.deepEqual(
		[0, 1, 2, 0xff, 0x100, 0x1_0000, 0xffff_ffff, 0x1_0000_0000, 2n ** 64n - 1n].map((value) => hex(integer(value))),
		['00', '01', '0a02', '0aff', '0b0001', '0c00000100', '0cffffffff', '0e0000000001000000', '0effffffffffffffff'],
	);
});

test('a package length counts its own bytes, at every border', (t) => {
	const lead = (length: number) => {
		const encoded = withPackageLength(new Uint8Array(length));
		return hex(encoded.slice(0, encoded.length - length));
	};
	t.deepEqual([0, 62, 63, 0xffd, 0xffe, 0xf_fffc, 0xf_fffd].map(lead), [
		'01',
		'3f',
		'4104',
		'4fff',
		'810001',
		'8fffff',
		'c1000001',
	]);
});

test('EISA ids pack three letters in five bits each', (t) => {
	t.is(hex(eisaId('PNP0501')), '0c41d00501');
	t.throws(() => eisaId('pnp0501'));
});

test('packages, buffers and strings carry their sizes', (t) => {
	t.is(hex(packageOf(integer(0), integer(0))), '1204020000');
	t.is(hex(buffer(Uint8Array.of(1, 2))), '11050a020102');
	t.is(hex(string('COM1')), '0d434f4d3100');
	t.is(hex(packageOf()), '120200');
});

test('scopes, devices and methods nest', (t) => {
	const method0 = method('_STA', 0, returns(integer(0xf)));
	t.is(hex(method0), '14095f53544100a40a0f');
	t.is(hex(device('ABCD', method0)), `5b820f41424344${hex(method0)}`);
	t.is(hex(scope('\\_SB', name('X', integer(1)))), `100c5c5f53425f0858${'5f5f5f'}01`);
});

test('a condition holds its predicate and its block', (t) => {
	t.is(hex(when(equal(argument(0), integer(1)), returns(argument(3)))), 'a006936801a46b');
});

test('the first three groups of a UUID are swapped', (t) => {
	t.is(hex(uuid('33DB4D5B-1FF7-401C-9657-7441C03DD766')), '11130a105b4ddb33f71f1c4096577441c03dd766');
});

const resources: [string, Uint8Array, string][] = [
	['IRQ', irq(4), '221000'],
	['IO', ioPorts(0x3f8, 8), '4701f803f8030108'],
	['Memory32Fixed', memory32Fixed(0xfee0_0000, 0x1000), '860900010000e0fe00100000'],
	['edge interrupt', interrupt(4, {edge: true}), '890600030104000000'],
	['shared level interrupt', interrupt(9, {edge: false, shared: true}), '890600090109000000'],
	[
		'QWordMemory',
		qwordMemory(0x1_0000_0000, 0x1_0000_0000),
		'8a2b00000c0300000000000000000000000001000000ffffffff0100000000000000000000000000000001000000',
	],
	['WordIO', portWindow(0x1000, 0xf000), '880d00010c030000' + '0010ffff' + '000000f0'],
	['WordBusNumber', busNumbers(0, 256), '880d00020c0000000000ff0000000001'],
];
for (const [title, bytes, expected] of resources) {
	test(`the ${title} descriptor has the layout of the specification`, (t) => {
		t.is(hex(bytes), expected);
	});
}

test('a resource template ends with an end tag', (t) => {
	t.is(hex(resourceTemplate(irq(8))), '11080a052200017900');
});

test('a region in memory has 32-bit fields in a row', (t) => {
	t.is(hex(memoryRegion('REGS', 0xfed3_f000, 0x20)), `5b80${hex(Buffer.from('REGS'))}000c00f0d3fe0a20`);
	const fields = `${hex(Buffer.from('AAAA'))}20${hex(Buffer.from('BBBB'))}20`;
	t.is(hex(dwordFields('REGS', ['AAAA', 'BBBB'])), `5b8110${hex(Buffer.from('REGS'))}03${fields}`);
});

test('a value is stored into an element of a package', (t) => {
	const target = `88${hex(Buffer.from('PACK'))}0a0200`;
	t.is(hex(store(namePath('AAAA'), elementOf('PACK', 2))), `70${hex(Buffer.from('AAAA'))}${target}`);
});

test('a notification names its object and its value', (t) => {
	t.is(hex(notify('\\_SB.DEV0', 0x80)), `865c2e${hex(Buffer.from('_SB_DEV0'))}0a80`);
});
