import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';
import test from 'ava';
import {isFunctionModel} from '#devices/pci/function';
import {loadDeviceModels} from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-models-'));
test.after.always(() => rmSync(folder, {recursive: true}));

/** A module whose model is of `kind`. */
function moduleOf(file: string, kind: string, attach = 'attach: {regions: () => []}'): string {
	const path = join(folder, file);
	const state = "state: {byteLength: 64, fields: {}, name: 'x'}";
	writeFileSync(path, `export default {kind: '${kind}', ${state}, ${attach}, front: () => ({})};`);
	return pathToFileURL(path).href;
}

const asFunction = 'attach: {pci: {vendor: 1, device: 2, class: 3}}';

test('a module that is given twice is loaded once, functions included', async (t) => {
	const module = moduleOf('twice.mjs', 'twice', asFunction);
	const {own, findModel} = await loadDeviceModels([module, module]);
	t.is(own[0], own[1]);
	t.is(findModel('twice'), own[0]);
	t.true(isFunctionModel(own[0] as object));
});

test('a function needs no regions', async (t) => {
	const {own} = await loadDeviceModels([moduleOf('function.mjs', 'function', asFunction)]);
	t.deepEqual(
		own[0]?.regions({}).map(({space}) => space),
		['config'],
	);
});

const wrong: [string, string, RegExp][] = [
	['nothing', 'regions: () => []', /"attach" does not say/],
	['no bus', 'attach: {}', /none of "regions", "pci" and "pciHost"/],
	['what there is not', 'attach: {isa: {}}', /"attach" has "isa"/],
	['regions that are no function', 'attach: {regions: 5}', /"regions" of "attach" is no function/],
	['a function with such regions', 'attach: {pci: {vendor: 1, device: 2, class: 3}, regions: 5}', /"regions"/],
	['a number for a function', 'attach: {pci: 5}', /"pci" of "attach" is no object/],
	['two things at once', 'attach: {pciHost: () => [], regions: () => []}', /"pciHost", which stands alone/],
];
for (const [index, [what, attach, message]] of wrong.entries()) {
	test(`a device that attaches to ${what} is refused`, async (t) => {
		const module = moduleOf(`wrong-${index}.mjs`, 'wrong', attach);
		await t.throwsAsync(loadDeviceModels([module]), {code: 'DEVICE_MODULE_WRONG', message});
	});
}

/** A module whose model the device worker owns. */
function ownedModule(file: string, owned: string, more = 'attach: {regions: () => []}'): string {
	const path = join(folder, file);
	writeFileSync(path, `export default {kind: 'owned', owned: ${owned}, ${more}};`);
	return pathToFileURL(path).href;
}

test('a device that the device worker owns has no state and no front', async (t) => {
	const {own} = await loadDeviceModels([ownedModule('owned.mjs', '{version: 3, mostBytes: 64, make: () => ({})}')]);
	t.like(own[0]?.owned, {version: 3, mostBytes: 64});
});

for (const [index, [what, owned, message, more]] of (
	[
		['nothing at all', 'null', /"owned" is no object/],
		['no version', '{mostBytes: 1, make: () => ({})}', /"version" of "owned" is no number/],
		['no limit', '{version: 1, make: () => ({})}', /"mostBytes" of "owned" is no number/],
		['an endless limit', '{version: 1, mostBytes: Infinity, make: () => ({})}', /"mostBytes" of "owned"/],
		['no way to be made', '{version: 1, mostBytes: 1}', /"make" of "owned" is no function/],
		['a front', '{version: 1, mostBytes: 1, make: () => ({})}', /"front" is of no use/, 'front: () => ({})'],
		['no attachment', '{version: 1, mostBytes: 1, make: () => ({})}', /"attach" does not say/, 'attach: undefined'],
		['pciHost', '{version: 1, mostBytes: 1, make: () => ({})}', /"pciHost"/, 'attach: {pciHost: () => []}'],
	] as const
).entries()) {
	test(`an owned device with ${what} is refused`, async (t) => {
		const module = ownedModule(`owned-${index}.mjs`, owned, `attach: {regions: () => []}${more ? `, ${more}` : ''}`);
		await t.throwsAsync(loadDeviceModels([module]), {code: 'DEVICE_MODULE_WRONG', message});
	});
}

test('two modules of one kind are refused, and so is a kind of this program', async (t) => {
	const modules = [moduleOf('a.mjs', 'same'), moduleOf('b.mjs', 'same')];
	await t.throwsAsync(loadDeviceModels(modules), {code: 'DEVICE_KIND_TAKEN'});
	await t.throwsAsync(loadDeviceModels([moduleOf('c.mjs', 'latch')]), {code: 'DEVICE_KIND_TAKEN'});
});

test('a declaration that no hardware can have is refused when the module loads', async (t) => {
	const module = moduleOf(
		'd.mjs',
		'wrong',
		'attach: {pci: {vendor: 1, device: 2, class: 3, interrupts: {vectors: []}}}',
	);
	await t.throwsAsync(loadDeviceModels([module]), {code: 'PCI_VECTORS_IMPOSSIBLE'});
});
