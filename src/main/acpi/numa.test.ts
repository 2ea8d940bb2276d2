import test from 'ava';
import {createProcessorTopology} from '#main/topology';
import {buildAcpiTables} from './acpi-tables.ts';
import type {AcpiNuma} from './numa.ts';

const gib = 2 ** 30;
const machine = (processors: number, apicIdOffset = 0) =>
	createProcessorTopology({processors, vpsPerSocket: 1, smt: 'off', x2apic: 'auto', apicIdOffset});
const numa: AcpiNuma = {
	processors: [0, 1],
	memory: [
		[
			{gpa: 0, length: 3 * gib},
			{gpa: 4 * gib, length: gib},
		],
		[],
		[{gpa: 5 * gib, length: 2 * gib}],
	],
	initiators: [],
};

const tableOf = (name: string, options: Partial<Parameters<typeof buildAcpiTables>[0]>) =>
	buildAcpiTables({topology: machine(2), devices: [], ...options}).pieces.find((piece) => piece.name === `ACPI ${name}`)
		?.data;

/** The structures of a SRAT, as hexadecimal. */
function structures(options: Parameters<typeof tableOf>[1]): string[] {
	const table = Buffer.from(tableOf('SRAT', options) ?? []);
	t0(table);
	const found: string[] = [];
	for (let at = 48; at < table.length; at += table[at + 1] ?? 1)
		found.push(table.toString('hex', at, at + (table[at + 1] ?? 1)));
	return found;
}

/** Signature, revision, and the word that has to be 1. */
function t0(table: Buffer): void {
	const [signature, revision, word] = [table.toString('latin1', 0, 4), table[8], table.readUInt32LE(36)];
	if (signature !== 'SRAT' || revision !== 3 || word !== 1) throw new Error(`${signature} ${revision} ${word}`);
}

test('SRAT tells the node of each processor and range of memory', (t) => {
	t.deepEqual(structures({numa}), [
		'00100000' + '01000000' + '00' + '000000' + '00000000',
		'00100101' + '01000000' + '00' + '000000' + '00000000',
		'0128' +
			'00000000' +
			'0000' +
			'0000000000000000' +
			'000000c000000000' +
			'00000000' +
			'01000000' +
			'0000000000000000',
		'0128' +
			'00000000' +
			'0000' +
			'0000000001000000' +
			'0000004000000000' +
			'00000000' +
			'01000000' +
			'0000000000000000',
		'0128' +
			'02000000' +
			'0000' +
			'0000004001000000' +
			'0000008000000000' +
			'00000000' +
			'01000000' +
			'0000000000000000',
	]);
});

test('APIC id 254 has the short structure, 255 the x2APIC one; nodes above 255 fit in both', (t) => {
	const far = {...numa, processors: [0x123, 0x456], memory: []};
	t.deepEqual(structures({topology: machine(2, 254), numa: far}), [
		'001023fe' + '01000000' + '00' + '010000' + '00000000',
		'02180000' + '56040000' + 'ff000000' + '01000000' + '00000000' + '00000000',
	]);
});

test('SRAT names a generic initiator by segment, bus, device and function', (t) => {
	const initiators = [{segment: 0x1234, bus: 0x56, devfn: 0x0a, node: 7}];
	t.deepEqual(structures({numa: {...numa, memory: [], initiators}}).slice(2), [
		'05200001' + '07000000' + '3412560a' + '000000000000000000000000' + '01000000' + '00000000',
	]);
});

test('SLIT is the matrix row by row, from each node to all', (t) => {
	const distances = [
		[10, 30, 20],
		[40, 10, 255],
		[20, 20, 10],
	];
	const table = Buffer.from(tableOf('SLIT', {numa: {...numa, distances}}) ?? []);
	t.is(table.toString('hex', 36), '0300000000000000' + '0a1e14' + '280aff' + '14140a');
	t.is(table.toString('latin1', 0, 4), 'SLIT');
	t.is(table[8], 1);
});

test('a machine that says nothing of nodes has neither table, and one of a single node no SLIT', (t) => {
	t.is(tableOf('SRAT', {}), undefined);
	t.is(tableOf('SLIT', {}), undefined);
	t.is(tableOf('SLIT', {numa}), undefined);
	t.truthy(tableOf('SRAT', {numa}));
});

test('a host bridge has the node of its root complex', (t) => {
	const bridge = {segment: 0, startBus: 0, endBus: 0, ecam: {gpa: 2 ** 33, length: 2 ** 20}, mmio: []};
	const ssdt = (node?: number) =>
		Buffer.from(tableOf('SSDT', {hostBridges: [{...bridge, ...(node !== undefined && {node})}]}) ?? []);
	t.true(ssdt(3).includes(Buffer.from('\x08_PXM\x0a\x03', 'latin1')));
	t.false(ssdt().includes('_PXM'));
});
