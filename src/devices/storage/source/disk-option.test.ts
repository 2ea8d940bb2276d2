import test from 'ava';
import type {VmmError} from '#support/errors';
import type {PathHost} from '#support/options';
import {diskOption, savedParts, sharedBytes} from './index.ts';

const parse = (text: string) => diskOption.parse(text, '--disk');
const file = {kind: 'file', path: 'a.img'} as const;

test('layers are read from the outside in, and what stands behind is the last disk`s', (t) => {
	t.deepEqual(parse('memdiff:a.img;direct'), {kind: 'memdiff', disk: {...file, direct: true}});
	t.deepEqual(parse('memdiff;limit=2G:memdiff:file:a.img'), {
		kind: 'memdiff',
		disk: {kind: 'memdiff', disk: file},
		limit: 2 ** 31,
	});
	t.deepEqual(parse('memdiff:crypt:xts-aes-256:/k/a:b.img;create=1G'), {
		kind: 'memdiff',
		disk: {kind: 'crypt', cipher: 'xts-aes-256', keyFile: '/k/a', disk: {kind: 'file', path: 'b.img', create: 2 ** 30}},
	});
	t.deepEqual(parse('striped;chunk=4K:[a.img;direct][memdiff:striped:[mem:512][a.img]]'), {
		kind: 'striped',
		disks: [
			{...file, direct: true},
			{kind: 'memdiff', disk: {kind: 'striped', disks: [{kind: 'memory', bytes: 512}, file]}},
		],
		chunk: 4096,
	});
	t.deepEqual(parse('part:12:a.img'), {kind: 'partition', disk: file, number: 12});
	t.deepEqual(parse('part:label=a b=c:a.img'), {kind: 'partition', disk: file, label: 'a b=c'});
	t.deepEqual(parse('part:uuid=12-ab:a.img'), {kind: 'partition', disk: file, uuid: '12-ab'});
	t.deepEqual(parse('part;length=1M;offset=0:a.img'), {kind: 'partition', disk: file, offset: 0, length: 2 ** 20});
	t.deepEqual(parse('memdiff:blob:flat:https://a:1/b?c=d;e'), {
		kind: 'memdiff',
		disk: {kind: 'blob', format: 'flat', url: 'https://a:1/b?c=d;e'},
	});
	t.deepEqual(parse('blob;cache=off:vhd1:http://a/b'), {kind: 'blob', format: 'vhd1', url: 'http://a/b', cache: false});
	t.deepEqual(parse('memdiff'), {kind: 'file', path: 'memdiff'});
	t.deepEqual(parse('memdiff:a.qcow2;engine=threads'), {
		kind: 'memdiff',
		disk: {kind: 'file', path: 'a.qcow2', format: 'qcow2', engine: 'threads'},
	});
	t.deepEqual(parse('/a:b;direct'), {kind: 'file', path: '/a:b', direct: true});
});

test('the format is what is stated, or else what the name says', (t) => {
	const formatOf = (text: string) => (parse(text) as {format?: string}).format;
	t.deepEqual(
		[
			'a.img',
			'a',
			'a.qcow2',
			'a.VHD',
			'a.vhdx',
			'a.qcow2;format=raw',
			'a.img;format=vhdx',
			'/dev/sda;format=qcow2',
		].map(formatOf),
		[undefined, undefined, 'qcow2', 'vhd', 'vhdx', undefined, 'vhdx', 'qcow2'],
	);
	t.deepEqual(parse('a.qcow2;backing-folder=/b;create=1M'), {
		kind: 'file',
		path: 'a.qcow2',
		create: 2 ** 20,
		format: 'qcow2',
		backingFolders: ['/b'],
	});
});

/** The option, code and message of what is wrong with such a disk. */
const wrong = (text: string) => {
	try {
		return (diskOption.check(parse(text), '--disk') as VmmError).message;
	} catch (error) {
		return (error as VmmError).message;
	}
};

for (const [text, message] of [
	['memdiff:mem:5G', /^--disk memdiff disk LEN "5G"/],
	['memdiff:memdiff:mem:7', /^--disk memdiff disk memdiff disk LEN "7"/],
	['memdiff:', /^--disk memdiff disk names no file/],
	['memdiff:a.img;sync', /^--disk memdiff disk has no key "sync"/],
	['memdiff;size=1G:a.img', /^--disk memdiff has no key "size"/],
	['memdiff;limit=1G;limit=1G:a.img', /^--disk memdiff gives "limit" twice/],
	['memdiff;limit=5:a.img', /^--disk memdiff limit "5"/],
	['memdiff;limit=17G:a.img', /^--disk memdiff limit "17G"/],
	['memdiff:sql:a.img', /^--disk memdiff disk "sql:a.img"/],
	['crypt:aes-128:key:a.img', /^--disk crypt "aes-128:key:a.img" is not valid/],
	['crypt:xts-aes-256:key', /^--disk crypt "xts-aes-256:key"/],
	['crypt:xts-aes-256::a.img', /^--disk crypt key file names no file/],
	['memdiff:crypt:xts-aes-256:key:mem:7', /^--disk memdiff disk crypt disk LEN "7"/],
	['striped:[a.img][mem:7]', /^--disk striped disk 2 LEN "7"/],
	['striped;chunk=1000:[a.img][b.img]', /^--disk striped chunk "1000"/],
	...['', '[a.img]', '[a.img][b.img', '[a.img]][b.img]', '[a.img] [b.img]', 'a.img[b.img]', '[a][b]c'].map(
		(rest) => [`striped:${rest}`, /^--disk striped ".*" is not valid/] as const,
	),
	[`striped:${'[a.img]'.repeat(64)}`, /^--disk striped "/],
	[`striped:${'[striped:[mem:1M][mem:1M]]'.repeat(32)}`, /disk 22 "striped:.*is not valid/],
	['part:0:a.img', /^--disk part "0:a.img" is not valid/],
	['part:a.img', /^--disk part "a.img" is not valid/],
	['part:uuid=:a.img', /^--disk part "uuid=:a.img"/],
	['part:1:mem:7', /^--disk part disk LEN "7"/],
	['part;offset=1M:a.img', /^--disk part: ;offset=1M needs ;length=LEN/],
	['part;offset=1M;length=1000:a.img', /^--disk part ";offset=1M;length=1000"/],
	['part;size=1M:a.img', /^--disk part has no key "size"/],
	['blob:raw:http://a/b', /^--disk blob "raw:http:.*is not valid/],
	['blob:flat:ftp://a/b', /^--disk blob URL "ftp:/],
	['blob:flat:/a/b', /^--disk blob URL "/],
	['blob:flat:http://user:secret@a/b', /^--disk blob URL "http:\/\/…@a\/b"/],
	['blob;cache=:flat:http://a/b', /^--disk blob cache ""/],
	['mem;limit=1G:512', /^--disk has no key "limit"/],
	['a.img;format=qed', /^--disk format "qed"/],
	['a.vmdk', /^--disk "a.vmdk"/],
	['a.img;backing-folder=/b', /^--disk backing-folder "\/b"/],
	['a.qcow2;backing-folder=', /^--disk backing-folder ""/],
	['file;direct:a.img', /^--disk has no key "direct"/],
	[`${'memdiff:'.repeat(64)}a.img`, /"a.img" is not valid/],
	[`${'memdiff:'.repeat(100_000)}a.img`, /is not valid/],
] as const)
	test(`what is wrong is named: ${text.length > 99 ? text.length : text}`, (t) => t.regex(wrong(text), message));

test('as many disks as may be are', (t) => {
	const text = `${'memdiff:'.repeat(63)}a.img`;
	t.is(diskOption.check(parse(text), '--disk'), undefined);
});

test('data that is no disk is refused by the name of the part that is none', (t) => {
	const check = (value: unknown) => diskOption.check(value, 'disk')?.message ?? 'right';
	const round: Record<string, unknown> = {kind: 'memdiff'};
	round['disk'] = round;
	t.is(check({kind: 'memdiff', disk: file, limit: 2 ** 20}), 'right');
	t.regex(check(round), /is not valid$/);
	for (const limit of [0, 1.5, 2 ** 20 + 512, 2 ** 35, '1G', null])
		t.regex(check({kind: 'memdiff', disk: file, limit}), /^disk "/);
	t.regex(check({kind: 'striped', disks: [file]}), /^disk "/);
	t.regex(check({kind: 'striped', disks: [file, {}]}), /^disk striped disk 2 "/);
	t.regex(check({kind: 'striped', disks: {length: 2}}), /^disk "/);
	for (const part of [
		{},
		{number: 0},
		{number: 1, uuid: 'a'},
		{number: 1, length: 512},
		{label: ''},
		{offset: 0},
		{offset: 5, length: 512},
		{uuid: 5},
	])
		t.regex(check({kind: 'partition', disk: file, ...part}), /^disk "/);
	for (const blob of [{}, {format: 'flat', url: 'file:///a'}, {format: 'flat', url: 'http://a', cache: true}])
		t.regex(check({kind: 'blob', ...blob}), /^disk "/);
	for (const disk of [undefined, null, 5, 'a.img', [], {}, {kind: 'toString'}, {kind: 'file'}])
		t.regex(check({kind: 'memdiff', disk: {kind: 'memdiff', disk}}), /^disk memdiff disk memdiff disk "/);
});

test('the host is asked about each file', (t) => {
	const host: PathHost = {path: (path) => ({kind: path === 'a.img' ? 'file' : 'missing'}), may: () => true};
	const check = (text: string) => diskOption.checkHost?.(parse(text), '--disk', host)?.message ?? 'right';
	t.is(check('memdiff:a.img'), 'right');
	t.regex(check('memdiff:crypt:xts-aes-256:b.key:a.img'), /^--disk memdiff disk crypt key file "b.key" does not exist/);
	t.regex(check('memdiff:memdiff:b.img'), /^--disk memdiff disk memdiff disk "b.img" does not exist/);
});

test('what is shared is for all disks of one, and snapshots have what is in memory, however deep it is', (t) => {
	t.is(sharedBytes(parse('memdiff:mem:1M')), sharedBytes(parse('memdiff:a.img')) - sharedBytes(file) + 2 ** 20 + 4096);
	const parts = (text: string, offset = 0) => savedParts(parse(text), offset, 'disk');
	t.deepEqual(parts('a.img'), []);
	t.deepEqual(parts('mem:512', 8), [{name: 'disk/mem', offset: 4096, length: 4096, mayBeNew: false}]);
	const [one, other, third] = parts('striped:[memdiff;limit=1M:a.img][mem:1M]').concat(parts('memdiff:mem:1M'));
	t.like(one, {name: 'disk/striped1/memdiff', mayBeNew: true});
	t.like(other, {name: 'disk/striped2/mem', length: 2 ** 20, mayBeNew: false});
	t.like(third, {name: 'disk/memdiff', mayBeNew: true});
	t.true((other?.offset as number) >= (one?.offset as number) + (one?.length as number));
	for (const part of [one, other, third]) t.is((part?.offset as number) % 4096, 0);
});
