import {gzipSync, zstdCompressSync} from 'node:zlib';
import test from 'ava';
import {gather} from '#main/tar';
import {type MadeMember, makeTar} from '#main/tar/testing';
import {DebFile} from './deb-file.ts';
import {makeAr, makeDeb} from './testing/index.ts';

/** Files of a package by their paths, with what else is asked for. */
async function filesOf(bytes: Uint8Array): Promise<Record<string, string>> {
	const deb = await DebFile.open('made', bytes);
	const found: Record<string, string> = {};
	for await (const {path, kind, content} of deb.members()) {
		found[path] = kind === 'file' ? Buffer.from(await gather(content)).toString() : kind;
	}
	return found;
}

const control = gzipSync(makeTar([{path: './control', data: 'Package: made\nVersion: 1\n'}]));
const version = Buffer.from('2.0\n');
const withData = (name: string, data: Uint8Array) =>
	makeAr({'debian-binary': version, 'control.tar.gz': control, [name]: data});

test('a package has its control file, its scripts and its files', async (t) => {
	const bytes = makeDeb({
		name: 'made',
		fields: ['Description: one line', ' and more', ' .', ' of them', 'Section: misc'],
		controlFiles: {postinst: '#!/bin/sh\n', conffiles: '/etc/made\n'},
		files: [
			{path: './etc/', mode: 0o755},
			{path: './etc/made', data: 'text', mode: 0o640, user: 7, group: 42, modified: 1_700_000_000},
			{path: './etc/again', type: '1', target: './etc/made'},
			{path: './etc/link', type: '2', target: 'made'},
			{path: './dev/null', type: '3', device: [1, 3]},
		],
	});
	const deb = await DebFile.open('made', bytes);
	t.is(deb.control.field('description'), 'one line\n and more\n .\n of them');
	t.is(deb.control.field('Section'), 'misc');
	t.is(deb.control.field('Sect'), undefined);
	t.deepEqual([...deb.controlFiles.keys()], ['postinst', 'conffiles']);

	const members = [];
	for await (const {content, ...member} of deb.members())
		members.push({...member, text: Buffer.from(await gather(content)).toString()});
	const one = {permissions: 0o644, user: 0, group: 0, modified: 0, target: '', major: 0, minor: 0, length: 0, text: ''};
	t.deepEqual(members, [
		{...one, path: './etc/', kind: 'directory', permissions: 0o755},
		{
			...one,
			path: './etc/made',
			kind: 'file',
			permissions: 0o640,
			user: 7,
			group: 42,
			modified: 1_700_000_000,
			length: 4,
			text: 'text',
		},
		{...one, path: './etc/again', kind: 'hard-link', target: './etc/made'},
		{...one, path: './etc/link', kind: 'symbolic-link', target: 'made'},
		{...one, path: './dev/null', kind: 'character', major: 1, minor: 3},
	]);
});

test('the archives inside may be compressed in any way that packages are', async (t) => {
	const tar = makeTar([{path: './a', data: 'x'.repeat(100_000)}]);
	t.deepEqual(await filesOf(withData('data.tar', tar)), {'./a': 'x'.repeat(100_000)});
	t.deepEqual(await filesOf(withData('data.tar.gz', gzipSync(tar))), {'./a': 'x'.repeat(100_000)});
	t.deepEqual(await filesOf(withData('data.tar.zst', zstdCompressSync(tar))), {'./a': 'x'.repeat(100_000)});
	await t.throwsAsync(filesOf(withData('data.tar.bz2', tar)), {
		code: 'PACKAGE_UNSUPPORTED',
		message: 'The package made cannot be read here: its data.tar.bz2 is compressed as .bz2, and not as gz, xz or zst',
	});
});

test('names and targets may be long', async (t) => {
	const path = `./${'directory/'.repeat(30)}file`;
	const deb = await DebFile.open(
		'made',
		makeDeb({
			name: 'made',
			files: [
				{path, type: '2', target: path},
				{path: './short', data: 'text'},
			],
		}),
	);
	const members = [];
	for await (const member of deb.members()) members.push([member.path, member.target]);
	t.deepEqual(members, [
		[path, path],
		['./short', ''],
	]);
});

test('a pax header is about the member behind it', async (t) => {
	const record = (text: string) => `${text.length + 4} ${text}\n`;
	const files: MadeMember[] = [
		{path: 'pax', type: 'x', data: record('path=./a=b') + record('mtime=12.75')},
		{path: './other', data: 'x'},
		{path: './last', data: 'y'},
	];
	const deb = await DebFile.open('made', makeDeb({name: 'made', files}));
	const members = [];
	for await (const {path, modified} of deb.members()) members.push([path, modified]);
	t.deepEqual(members, [
		['./a=b', 12],
		['./last', 0],
	]);
});

test('a capability in a pax header is bytes', async (t) => {
	const value = Buffer.from([1, 0, 0, 2, 0, 0x20, 0xff, 0x80]);
	const name = 'SCHILY.xattr.security.capability';
	const record = Buffer.concat([Buffer.from(`${name.length + value.length + 5} ${name}=`), value, Buffer.from('\n')]);
	const files: MadeMember[] = [
		{path: 'pax', type: 'x', data: record},
		{path: './ping', data: 'x'},
	];
	const deb = await DebFile.open('made', makeDeb({name: 'made', files}));
	for await (const {path, xattrs} of deb.members()) {
		t.is(path, './ping');
		t.deepEqual(Buffer.from(xattrs?.get('security.capability') ?? []), value);
	}
});

const damaged: Readonly<Record<string, [bytes: Uint8Array, message: RegExp]>> = {
	'is no archive': [Buffer.from('PK'), /does not begin as an archive of ar/],
	'has no files': [makeAr({'debian-binary': version, 'control.tar.gz': control}), /it has no data\.tar$/],
	'has its parts in another order': [
		makeAr({'debian-binary': version, 'data.tar': makeTar([])}),
		/has "data.tar" where control.tar has to be/,
	],
	'has a member that is longer than it': [
		Buffer.from(withData('data.tar', makeTar([])).toString('latin1').replace('1024      `', '1025      `'), 'latin1'),
		/its data.tar is cut off/,
	],
	'has archives that are cut off': [
		withData('data.tar.gz', gzipSync(makeTar([])).subarray(0, 20)),
		/data.tar.gz is cut/,
	],
	'has a list of files without an end': [withData('data.tar', Buffer.alloc(0)), /list of files is cut off/],
	'has a file that is longer than the archive': [
		withData('data.tar', makeTar([{path: './a', data: 'x', size: 2 ** 30}])),
		/a file in it is cut off/,
	],
	'has a header with another checksum': [
		withData(
			'data.tar',
			Buffer.from(
				makeTar([{path: './a'}])
					.toString('latin1')
					.replace('./a', './b'),
				'latin1',
			),
		),
		/does not match its checksum/,
	],
	'has a name without an end': [
		withData('data.tar', makeTar([{path: './a', type: 'L', data: 'x', size: 2 ** 32}])),
		/a header of it has 4294967296 bytes/,
	],
	'has something behind its files': [
		withData('data.tar', Buffer.concat([makeTar([]), Buffer.from('more')])),
		/something follows its list of files/,
	],
	'has a file of an unknown type': [withData('data.tar', makeTar([{path: './a', type: 'Z'}])), /type 'Z'/],
	'has a pax header that is none': [
		withData('data.tar', makeTar([{path: 'p', type: 'x', data: '99 path=x\n'}])),
		/a pax header of it is none/,
	],
};

for (const [title, [bytes, message]] of Object.entries(damaged)) {
	test(`a package is refused that ${title}`, async (t) => {
		await t.throwsAsync(filesOf(bytes), {code: 'PACKAGE_DAMAGED', message});
	});
}

test('a control file has a plain name', async (t) => {
	const bytes = makeDeb({name: 'made', controlFiles: {'../control': ''}});
	await t.throwsAsync(filesOf(bytes), {code: 'PACKAGE_DAMAGED', message: /control file named "\.\/\.\.\/control"/});
});
