import test from 'ava';
import {Cmos} from '#devices/chipset/cmos-rtc';
import {generationIdKind} from '#devices/chipset/generation-id';
import {i8042Kind} from '#devices/chipset/i8042';
import {createProcessorTopology, type ProcessorOptions} from '#main/topology';
import {isVmmError} from '#support/errors';
import {type AcpiOptions, buildAcpiTables} from './acpi-tables.ts';
import type {PcieHostBridge} from './pcie.ts';
import {pc} from './testing/pc.ts';

const processors = (count: number, options: Partial<ProcessorOptions> = {}) =>
	createProcessorTopology({processors: count, smt: 'off', x2apic: 'auto', apicIdOffset: 0, ...options});
const build = (options: Partial<AcpiOptions> = {}) =>
	buildAcpiTables({topology: processors(2), devices: pc(), ...options});
const bridge: PcieHostBridge = {
	segment: 0,
	startBus: 16,
	endBus: 31,
	ecam: {gpa: 0x1_4100_0000, length: 16 * 2 ** 20},
	mmio: [{gpa: 0xf400_0000, length: 64 * 2 ** 20}],
};

const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('hex');
const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const piece = (name: string, options?: Partial<AcpiOptions>): Uint8Array =>
	build(options).pieces.find((candidate) => candidate.name === `ACPI ${name}`)?.data ?? new Uint8Array();
/** MADT entries after the header, as hexadecimal. */
function madtEntries(options?: Partial<AcpiOptions>): string[] {
	const table = piece('MADT', options);
	const entries: string[] = [];
	for (let at = 44; at < table.length; at += table[at + 1] ?? 1) {
		entries.push(hex(table.slice(at, at + (table[at + 1] ?? 1))));
	}
	return entries;
}

const sum = (bytes: Uint8Array) => bytes.reduce((a, b) => a + b, 0) & 0xff;
const signature = (table: Uint8Array) => Buffer.from(table.subarray(0, 4)).toString();
/** Both forms of the list of tables, as guests of their time follow them: where its address is in the RSDP, and its size. */
const roots = {RSDT: {at: 16, size: 4}, XSDT: {at: 24, size: 8}} as const;

for (const [name, {at: pointer, size}] of Object.entries(roots)) {
	test(`the RSDP lies at E0000 and leads over the ${name} to every table`, (t) => {
		const {pieces, rsdp} = build({hostBridges: [bridge]});
		const at = (gpa: number) => pieces.find((candidate) => candidate.gpa === gpa)?.data ?? new Uint8Array();
		const address = (bytes: Uint8Array, offset: number) =>
			size === 4 ? view(bytes).getUint32(offset, true) : Number(view(bytes).getBigUint64(offset, true));
		t.is(rsdp, 0xe_0000);
		t.is(Buffer.from(at(rsdp).subarray(0, 8)).toString(), 'RSD PTR ');
		const root = at(address(at(rsdp), pointer));
		t.deepEqual([signature(root), sum(root), view(root).getUint32(4, true)], [name, 0, root.length]);
		const listed = Array.from({length: (root.length - 36) / size}, (_, i) => at(address(root, 36 + size * i)));
		t.deepEqual(
			listed.map((table) => [signature(table), sum(table)]),
			['FACP', 'APIC', 'MCFG', 'SSDT'].map((each) => [each, 0]),
		);
		const fadt = listed[0] as Uint8Array;
		t.is(signature(at(address(fadt, size === 4 ? 40 : 140))), 'DSDT');
		t.is(signature(at(view(fadt).getUint32(36, true))), 'FACS');
		t.is(view(fadt).getBigUint64(132, true), 0n, 'only one of the two addresses of the FACS');
	});
}

test('the FACS is what a guest may write to: 64 bytes at a multiple of 64, in reserved memory, its lock free', (t) => {
	const {pieces, reserved} = build();
	const {gpa = 0, data = new Uint8Array()} = pieces.find(({name}) => name === 'ACPI FACS') ?? {};
	t.deepEqual([data.length, gpa % 64, view(data).getUint32(4, true), data[32]], [64, 0, 64, 2]);
	t.is(hex(data.slice(8, 32)), '00'.repeat(24));
	const {kind} = reserved.find((range) => range.gpa <= gpa && gpa + 64 <= range.gpa + range.length) ?? {};
	t.is(kind, 'reserved', 'an operating system takes memory of the kind "acpi" for its own once it has read the tables');
});

test('the FADT says where the clock keeps the century', (t) => {
	t.is(piece('FADT')[108], Cmos.CENTURY);
});

test('every table sums to zero and tells its length', (t) => {
	const tables = build({hostBridges: [bridge]}).pieces.filter(({name}) => !/RSDP|FACS/.test(name));
	t.deepEqual(
		tables.map(({data}) => [sum(data), view(data).getUint32(4, true) - data.length]),
		tables.map(() => [0, 0]),
	);
	const rsdp = piece('RSDP');
	t.deepEqual([sum(rsdp.subarray(0, 20)), sum(rsdp), rsdp.length], [0, 0, 36]);
});

test('tables begin at 19000, do not overlap, and are reserved as whole pages', (t) => {
	const {pieces, reserved, end} = build({hostBridges: [bridge]});
	const tables = pieces.filter(({name}) => !/RSDP|FACS/.test(name));
	t.is(tables[0]?.gpa, 0x1_9000);
	t.deepEqual(
		tables.slice(1).map(({gpa}) => gpa % 8),
		tables.slice(1).map(() => 0),
	);
	t.true(tables.slice(1).every(({gpa}, i) => gpa >= (tables[i]?.gpa ?? 0) + (tables[i]?.data.length ?? 0)));
	t.is(end, 0x1_a000);
	t.deepEqual(reserved, [
		{gpa: 0x1_9000, length: 0x1000, kind: 'acpi'},
		{gpa: 0xe_0000, length: 0x1_0000, kind: 'reserved'},
	]);
});

test('without PCIe there is no MCFG and no SSDT', (t) => {
	t.deepEqual(
		build().pieces.map(({name}) => name),
		['DSDT', 'FADT', 'MADT', 'RSDT', 'XSDT', 'RSDP', 'FACS'].map((name) => `ACPI ${name}`),
	);
});

test('the FADT names the power-management ports at 400, SCI 9 and the reset register', (t) => {
	const fadt = view(piece('FADT'));
	t.is(fadt.byteLength, 276);
	t.is(fadt.getUint8(8), 6);
	t.is(fadt.getUint16(46, true), 9);
	t.is(fadt.getUint32(112, true), 0x85a5);
	t.deepEqual([fadt.getUint16(96, true), fadt.getUint16(98, true)], [101, 1001]);
	const genericAddress = (offset: number) => hex(piece('FADT').slice(offset, offset + 12));
	t.is(genericAddress(116), '010800013304000000000000');
	t.is(fadt.getUint8(128), 1);
	t.is(genericAddress(148), '012000020004000000000000');
	t.is(genericAddress(172), '011000020404000000000000');
	t.is(genericAddress(208), '012000030804000000000000');
	t.is(genericAddress(220), '012000020c04000000000000');
});

test('the FADT follows another port base and interrupt', (t) => {
	const fadt = view(piece('FADT', {devices: pc({pm: {base: 0x600, sciIrq: 11}})}));
	t.deepEqual([fadt.getUint16(46, true), fadt.getUint32(56, true), fadt.getUint32(120, true)], [11, 0x600, 0x633]);
});

test('the FADT tells of legacy devices only when there are COM ports, and never of VGA', (t) => {
	t.is(view(piece('FADT')).getUint16(109, true), 0b101);
	t.is(view(piece('FADT', {devices: pc({comPorts: []})})).getUint16(109, true), 0b100);
	t.is(view(piece('FADT', {devices: pc({comPorts: [], others: [[i8042Kind, {}]]})})).getUint16(109, true), 0b110);
});

test('the MADT holds IOAPIC, overrides, NMI and processors with UID index+1', (t) => {
	const madt = view(piece('MADT'));
	t.deepEqual([madt.getUint8(8), madt.getUint32(36, true), madt.getUint32(40, true)], [5, 0xfee0_0000, 1]);
	t.deepEqual(madtEntries(), [
		'010c00000000c0fe00000000',
		'020a0009090000000d00',
		'020a0000020000000000',
		'0406ff000001',
		'0008010001000000',
		'0008020101000000',
	]);
});

test('APIC id 254 has the short entry, 255 and UID 256 the x2APIC one', (t) => {
	const topology = processors(2, {vpsPerSocket: 1, apicIdOffset: 254});
	t.deepEqual(madtEntries({topology}).slice(3), [
		'0406ff000001',
		'0a0c0000ffffffff01000000',
		'000801fe01000000',
		'09100000ff0000000100000002000000',
	]);
	const many = madtEntries({topology: processors(256)});
	t.is(many.at(-2), '0008fffe01000000');
	t.is(many.at(-1), '09100000ff0000000100000000010000');
});

test('the DSDT powers off with sleep type 0, in the form that simple guests search for', (t) => {
	t.true(hex(piece('DSDT')).includes(`085c${hex(Buffer.from('_S5_'))}1204020000`));
});

test('the DSDT describes COM1 by port and interrupt, as OpenVMM does', (t) => {
	const expected =
		'085f4849440c41d00501' +
		'085f44444e0d434f4d3100' +
		'085f55494401' +
		'085f43525311160a134701f803f80301088906000301040000007900';
	t.true(hex(piece('DSDT')).includes(expected));
});

test('the DSDT has a device per COM port and processor, and nothing for absent ones', (t) => {
	const dsdt = Buffer.from(piece('DSDT', {devices: pc({comPorts: [1, 3]}), topology: processors(1000)})).toString(
		'latin1',
	);
	t.deepEqual(dsdt.match(/UAR\d/g), ['UAR1', 'UAR3']);
	t.deepEqual(
		[dsdt.match(/[PQ]\d{3}(?=._HID)/gs)?.length, dsdt.includes('P999'), dsdt.includes('Q000')],
		[1000, true, true],
	);
	t.false(dsdt.includes('PCI0'));
});

test('what devices say of themselves comes after the PC, and their events have a scope where there are some', (t) => {
	const generationId = [generationIdKind, {address: 0x1_000e_1000, id: ''}] as const;
	const dsdt = hex(piece('DSDT', {devices: pc({others: [generationId]})}));
	const [clock, device, processor, events] = ['RTC0', 'VGEN', 'P001', '_GPE'].map((each) => hex(Buffer.from(each)));
	t.regex(
		dsdt,
		new RegExp(`${clock}.*5b82....${device}.*${processor}.*10..5c${events}14.*${hex(Buffer.from('_E00'))}`),
	);
	t.false(hex(piece('DSDT')).includes(events ?? ''), 'no events, no scope for them');
});

test('a host bridge routes pins to inputs, has ports, and may hold its guest to the BARs it finds', (t) => {
	const interrupts = [{device: 2, pin: 1, input: 19}];
	const ssdt = hex(
		piece('SSDT', {hostBridges: [{...bridge, ports: {base: 0x1000, length: 0xf000}, interrupts, preserveBars: true}]}),
	);
	t.true(ssdt.includes(`08${hex(Buffer.from('_PRT'))}120e01120b040cffff020001000a13`), 'device 2, INTB, input 19');
	t.true(ssdt.includes('880d00010c0300000010ffff000000f0'), 'WordIO');
	t.true(ssdt.includes(hex(Buffer.from('_DSM'))));
	t.false(hex(piece('SSDT', {hostBridges: [bridge]})).includes(hex(Buffer.from('_DSM'))));
});

test('MCFG counts from bus 0 even when the root complex starts later', (t) => {
	t.is(hex(piece('MCFG', {hostBridges: [bridge]}).slice(44)), '0000004001000000' + '0000' + '10' + '1f' + '00000000');
});

test('MCFG cannot describe configuration space whose bus 0 would lie below address 0', (t) => {
	const low = {...bridge, ecam: {gpa: 0x10_0000, length: 0x100_0000}};
	t.true(
		isVmmError(
			t.throws(() => build({hostBridges: [low]})),
			'ACPI_ECAM_TOO_LOW',
		),
	);
});

test('more root complexes than ACPI has names for are refused', (t) => {
	t.notThrows(() => build({hostBridges: Array.from({length: 100}, () => bridge)}));
	t.true(
		isVmmError(
			t.throws(() => build({hostBridges: Array.from({length: 101}, () => bridge)})),
			'ACPI_TOO_MANY_HOST_BRIDGES',
		),
	);
});

test('1024 processors fit below the end of conventional memory, endless devices do not', (t) => {
	t.true(build({topology: processors(1024)}).end < 0x4_0000);
	const devices = [{device: new Uint8Array(0x9_0000)}];
	t.true(
		isVmmError(
			t.throws(() => build({devices})),
			'ACPI_TABLES_TOO_LARGE',
		),
	);
});
