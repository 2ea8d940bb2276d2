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
function moduleOf(file: string, kind: string, more = '', regions = 'regions: () => []'): string {
	const path = join(folder, file);
	const state = "state: {byteLength: 64, fields: {}, name: 'x'}";
	writeFileSync(path, `export default {kind: '${kind}', ${state}, ${regions}, front: () => ({}), ${more}};`);
	return pathToFileURL(path).href;
}

const asFunction = 'pci: {vendor: 1, device: 2, class: 3}';

test('a module that is given twice is loaded once, functions included', async (t) => {
	const module = moduleOf('twice.mjs', 'twice', asFunction);
	const {own, findModel} = await loadDeviceModels([module, module]);
	t.is(own[0], own[1]);
	t.is(findModel('twice'), own[0]);
	t.true(isFunctionModel(own[0] as object));
});

test('a function may lack regions, and nothing else may', async (t) => {
	const {own} = await loadDeviceModels([moduleOf('function.mjs', 'function', asFunction, 'lines: () => ({})')]);
	t.deepEqual(
		own[0]?.regions({}).map(({space}) => space),
		['config'],
	);
	const none = moduleOf('none.mjs', 'none', '', 'lines: () => ({})');
	await t.throwsAsync(loadDeviceModels([none]), {code: 'DEVICE_MODULE_WRONG', message: /"regions"/});
	const wrong = moduleOf('wrong.mjs', 'wrong', asFunction, 'regions: 5');
	await t.throwsAsync(loadDeviceModels([wrong]), {code: 'DEVICE_MODULE_WRONG', message: /"regions"/});
});

test('two modules of one kind are refused, and so is a kind of this program', async (t) => {
	const modules = [moduleOf('a.mjs', 'same'), moduleOf('b.mjs', 'same')];
	await t.throwsAsync(loadDeviceModels(modules), {code: 'DEVICE_KIND_TAKEN'});
	await t.throwsAsync(loadDeviceModels([moduleOf('c.mjs', 'latch')]), {code: 'DEVICE_KIND_TAKEN'});
});

test('a declaration that no hardware can have is refused when the module loads', async (t) => {
	const module = moduleOf('d.mjs', 'wrong', 'pci: {vendor: 1, device: 2, class: 3, interrupts: {vectors: []}}');
	await t.throwsAsync(loadDeviceModels([module]), {code: 'PCI_VECTORS_IMPOSSIBLE'});
});
