import {spawnSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {isVmmError} from '#support/errors';
import {openvmmIdentity, type SmbiosIdentity} from './identity.ts';
import {buildSmbiosTables} from './smbios-tables.ts';

const tableAddress = 0x1_a000;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const bytesOf = (name: string, identity?: SmbiosIdentity) =>
	buildSmbiosTables(tableAddress, [], identity).pieces.find((piece) => piece.name === `SMBIOS ${name}`)?.data ??
	new Uint8Array();
const withSystem = (system: Partial<SmbiosIdentity['system']>): SmbiosIdentity => ({
	...openvmmIdentity,
	system: {...openvmmIdentity.system, ...system},
});

test('the entry point at F0000 is of version 3.1 and leads to the table', (t) => {
	const {pieces} = buildSmbiosTables(tableAddress);
	const entry = bytesOf('entry point');
	t.is(pieces[1]?.gpa, 0xf_0000);
	t.is(Buffer.from(entry.subarray(0, 5)).toString(), '_SM3_');
	t.is(entry.reduce((a, b) => a + b, 0) & 0xff, 0);
	t.deepEqual([...entry.subarray(6, 12)], [24, 3, 1, 0, 1, 0]);
	t.is(hex(entry.subarray(12)), `${hex(Uint8Array.of(bytesOf('table').length))}00000000a0010000000000`);
});

test('the table holds BIOS, system and end, each with its strings', (t) => {
	const text = (value: string) => hex(Buffer.from(`${value}\0`));
	t.is(
		hex(bytesOf('table')),
		'001a0000010200000300' +
			'8000000000000000' +
			'0110' +
			'0000ffff0000' +
			text('OpenVMM') +
			text('OpenVMM Direct') +
			text('06/19/2026') +
			'00' +
			'011b01000102' +
			'0000' +
			'00'.repeat(16) +
			'060000' +
			text('OpenVMM') +
			text('OpenVMM Virtual Machine') +
			'00' +
			'7f0402000000',
	);
});

test("devices' structures come between system and end, with handles and strings of their own", (t) => {
	const ports = ['COM1', 'COM2'].map((name) => ({type: 8, body: Uint8Array.of(1, 8, 0, 0, 9), strings: [name]}));
	const table = buildSmbiosTables(tableAddress, ports).pieces.find(({name}) => name === 'SMBIOS table')?.data;
	const text = (value: string) => hex(Buffer.from(`${value}\0`));
	const structures = ports.map(({strings: [name]}, index) => `08090${index + 2}000108000009${text(`${name}`)}00`);
	t.true(hex(table ?? new Uint8Array()).endsWith(`00${structures.join('')}7f0404000000`));
	t.throws(() => buildSmbiosTables(tableAddress, [{type: 8, body: new Uint8Array(252)}]), {code: 'WIRE_VALUE_INVALID'});
});

test('both are reserved as whole pages', (t) => {
	const {reserved, end} = buildSmbiosTables(tableAddress);
	t.is(end, 0x1_b000);
	t.deepEqual(reserved, [
		{gpa: 0x1_a000, length: 0x1000, kind: 'reserved'},
		{gpa: 0xf_0000, length: 0x1_0000, kind: 'reserved'},
	]);
});

test('strings that SMBIOS cannot hold are refused', (t) => {
	const code = 'SMBIOS_STRING_INVALID';
	for (const serialNumber of ['a\0b', 'ü', 'line\n']) {
		t.true(
			isVmmError(
				t.throws(() => bytesOf('table', withSystem({serialNumber}))),
				code,
			),
			serialNumber,
		);
	}
});

test('strings that do not fit below the end of conventional memory are refused', (t) => {
	const identity = withSystem({family: 'x'.repeat(0x9_0000)});
	t.true(
		isVmmError(
			t.throws(() => buildSmbiosTables(tableAddress, [], identity)),
			'SMBIOS_TABLE_TOO_LARGE',
		),
	);
});

const dmidecode = spawnSync('dmidecode', ['--version']).error === undefined;
const check = dmidecode ? test : test.skip;
const needs = dmidecode ? '' : ' (skipped: dmidecode is missing, it comes with the package dmidecode)';

check(`dmidecode reads the machine's identity${needs}`, (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'smbios-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const dump = join(folder, 'dump.bin');
	// The form of `dmidecode --dump-bin`: the entry point, and the table at an address inside the file.
	const image = new Uint8Array(0x1000);
	const identity = withSystem({serialNumber: 'SN 42', uuid: Uint8Array.from({length: 16}, (_, i) => i)});
	const {pieces} = buildSmbiosTables(0x20, [], identity);
	image.set(pieces[1]?.data ?? [], 0);
	image.set(pieces[0]?.data ?? [], 0x20);
	writeFileSync(dump, image);
	const run = spawnSync('dmidecode', ['--from-dump', dump], {encoding: 'utf8'});
	t.is(run.status, 0);
	t.regex(run.stdout, /SMBIOS 3\.1\.0 present/);
	const lines = run.stdout.split('\n').map((line) => line.trim());
	for (const line of [
		'Vendor: OpenVMM',
		'Version: OpenVMM Direct',
		'Release Date: 06/19/2026',
		'ACPI is supported',
		'System is a virtual machine',
		'Manufacturer: OpenVMM',
		'Product Name: OpenVMM Virtual Machine',
		'Version: Not Specified',
		'Serial Number: SN 42',
		'UUID: 03020100-0504-0706-0809-0a0b0c0d0e0f',
		'Wake-up Type: Power Switch',
		'End Of Table',
	]) {
		t.true(lines.includes(line), line);
	}
	t.notRegex(run.stdout + run.stderr, /wrong|bad|broken|truncated/i);
});
