import test from 'ava';
import type {DoorbellDeclaration, PciBar, PciFunction} from '#devices/device';
import {probeEndpoint} from '#devices/pci/testing';
import type {VmmError} from '#support/errors';
import {completeModel, isFunctionModel} from './index.ts';

const declare = (pci: Partial<PciFunction<unknown>>) => {
	const declared: typeof probeEndpoint = {...probeEndpoint, attach: {pci: {vendor: 1, device: 2, class: 3, ...pci}}};
	const model = completeModel(declared);
	model.regions({});
	return model;
};
const names = (count: number) => Array.from({length: count}, (_, index) => `v${index}`);
const withMsix = (bars: readonly PciBar[], msix: object, vectors = 3) =>
	declare({bars, interrupts: {vectors: names(vectors), msix: {bar: 0, ...msix}}});

const wrongBars: [string, readonly PciBar[]][] = [
	['a size that is no power of two', [{index: 0, size: 0x1800}]],
	['too small a size', [{index: 0, size: 8}]],
	['more ports than there may be', [{index: 0, size: 512, kind: 'io'}]],
	['a register that does not exist', [{index: 6, size: 16}]],
	['a 64-bit BAR in the last register', [{index: 5, size: 16, kind: 'memory64'}]],
	[
		'two BARs in one register',
		[
			{index: 0, size: 16, kind: 'prefetchable'},
			{index: 1, size: 16},
		],
	],
];
for (const [what, bars] of wrongBars) {
	test(`${what} is a declaration error`, (t) => {
		t.throws(() => declare({bars}), {code: 'PCI_BAR_IMPOSSIBLE'});
	});
}

const outside: [string, readonly PciBar[], object][] = [
	['behind its BAR', [{index: 0, size: 32}], {}],
	['before its BAR', [{index: 0, size: 4096}], {table: -16}],
	['at an odd offset', [{index: 0, size: 4096}], {table: 4}],
	['in its own pending bits', [{index: 0, size: 4096}], {table: 0, pending: 8}],
	['in a BAR of ports', [{index: 0, size: 256, kind: 'io'}], {}],
];
for (const [where, bars, msix] of outside) {
	test(`an MSI-X table ${where} is a declaration error`, (t) => {
		t.throws(() => withMsix(bars, msix), {code: 'PCI_TABLE_OUTSIDE_BAR'});
	});
}

const bell = (region: number, offset: number): DoorbellDeclaration => ({region, offset, size: 4, queue: 7});
const inTable: [string, object, DoorbellDeclaration][] = [
	['on the BAR that MSI-X has for itself', {bar: 1}, bell(1, 0x800)],
	['in the table', {bar: 0, table: 0x800, pending: 0x900}, bell(0, 0x82c)],
	['in the pending bits', {bar: 0, table: 0x800, pending: 0x900}, bell(0, 0x904)],
];
for (const [where, msix, wrong] of inTable) {
	test(`a doorbell ${where} is refused with the remedy, and those beside are not`, (t) => {
		const interrupts = {vectors: names(3), msix: msix as {bar: number}};
		const attach = {pci: {vendor: 1, device: 2, class: 3, bars: [{index: 0, size: 4096}], interrupts}};
		const bellsOf = (...doorbells: DoorbellDeclaration[]) =>
			completeModel({...probeEndpoint, attach, doorbells: () => doorbells}).doorbells?.({});
		const beside = [bell(0, 0x7fc), bell(0, 0x830), bell(0, 0x908)];
		t.deepEqual(bellsOf(...beside), beside);
		const error = t.throws(() => bellsOf(...beside, wrong), {
			code: 'PCI_DOORBELL_IN_TABLE',
			message: /pci-probe.*queue 7/,
		});
		t.regex((error as VmmError).remedy ?? '', /"bars".*"table" and "pending"/);
	});
}

test('vectors are counted', (t) => {
	t.throws(() => declare({interrupts: {vectors: []}}), {code: 'PCI_VECTORS_IMPOSSIBLE'});
	t.throws(() => declare({interrupts: {vectors: names(33), msi: true}}), {code: 'PCI_VECTORS_IMPOSSIBLE'});
	t.notThrows(() => withMsix([], {}, 2048));
	t.throws(() => withMsix([], {}, 2049), {code: 'PCI_VECTORS_IMPOSSIBLE'});
});

test('a table of its own gets a BAR as large as it needs; the device keeps its region numbers', (t) => {
	const model = withMsix([{index: 2, size: 64}], {}, 512);
	const regions = model.regions({}).map(({name, length}) => `${name} ${length}`);
	t.deepEqual(regions, ['bar2 64', 'bar0 16384', 'config 4096']);
	t.true(isFunctionModel(model));
	t.is(completeModel(model), model);
});
