import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';
import test from 'ava';
import {isFunctionModel} from '#devices/pci/function';
import type {PartName} from './answerable-type.ts';
import {loadDeviceModels} from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-models-'));
test.after.always(() => rmSync(folder, {recursive: true}));

/** A module whose model is of `kind`. */
function moduleOf(file: string, kind: string, parts = 'attach: {regions: () => []}'): string {
	const path = join(folder, file);
	const text = `kind: '${kind}', state: wire('x', {value: u8}), front: () => ({read: () => 0, write() {}}), ${parts}`;
	writeFileSync(path, `import {u8, wire} from '${import.meta.resolve('#support/wire')}';\nexport default {${text}};`);
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

const throws = '() => {throw new RangeError("oops")}';
const port = "attach: {regions: () => [{space: 'pio', name: 'port', base: 0x600, length: 1}]}";
/** What is wrong with a module, and which of its functions tells. */
const failing: [string, Exclude<PartName, 'attach'>, parts: string, message: RegExp][] = [
	['regions that throw', 'regions', `attach: {regions: ${throws}}`, /"attach": oops/],
	['what throws no error', 'regions', 'attach: {regions: () => {throw Object.create(null)}}', /"attach": .*null/],
	['a number for regions', 'regions', 'attach: {regions: () => 5}', /"attach": it gives 5, not regions/],
	['no region in its regions', 'regions', 'attach: {regions: () => [null]}', /gives \[ null \]/],
	['a region without a base', 'regions', port.replace('0x600', 'NaN'), /base: NaN/],
	['a region in no space', 'regions', port.replace('pio', 'isa'), /'isa'.*known space/],
	[
		'capabilities that throw',
		'design',
		`attach: {pci: {vendor: 1, device: 2, class: 3, capabilities: ${throws}}}`,
		/oops/,
	],
	['lines that throw', 'lines', `${port}, lines: ${throws}`, /"lines": oops/],
	['no lines', 'lines', `${port}, lines: () => null`, /"lines": it gives null/],
	['a line that leads to a word', 'lines', `${port}, lines: () => ({irq: 'five'})`, /'five'.*"shared" or "own"/],
	['an input of no number', 'inputs', `${port}, inputs: () => ({pin: '9'})`, /"inputs"/],
	['doorbells that throw', 'doorbells', `${port}, doorbells: ${throws}`, /"doorbells": oops/],
	['a number for a doorbell', 'doorbells', `${port}, doorbells: () => [5]`, /"doorbells"/],
	[
		'workers that cannot be counted',
		'workers',
		`${port}, workers: () => 1.5`,
		/"workers": it gives 1\.5, not a number/,
	],
	['a front that throws', 'front', `${port}, front: ${throws}`, /"front": oops/],
	['no front', 'front', `${port}, front: () => undefined`, /"front": it gives undefined/],
	['a front that cannot be read', 'front', `${port}, front: () => ({write() {}})`, /read and write/],
	['a promise of a front', 'front', `${port}, front: async () => ({read: () => 0, write() {}})`, /Promise/],
	['a back that throws', 'back', `${port}, back: ${throws}`, /"back": oops/],
	['a back without a stop', 'back', `${port}, back: () => ({start() {}, notified() {}, dispose() {}})`, /stop/],
	['objects that throw', 'acpi', `${port}, acpi: ${throws}`, /"acpi": oops/],
	['a number for a structure', 'smbios', `${port}, smbios: () => [5]`, /"smbios"/],
];
for (const [index, [what, part, parts, message]] of failing.entries()) {
	test(`${what}: the module answers for it by its name`, async (t) => {
		const module = moduleOf(`failing-${index}.mjs`, 'failing', parts);
		const {own} = await loadDeviceModels([module]);
		const declared = own[0] as unknown as Record<string, (...args: unknown[]) => unknown>;
		const error = t.throws(() => declared[part]?.({}, {}, {}), {code: 'DEVICE_MODULE_FAILED', message});
		t.true(error.message.includes(module));
	});
}

test('an owned device that cannot be called is refused when it is made', async (t) => {
	const {own} = await loadDeviceModels([
		ownedModule('made.mjs', '{version: 1, mostBytes: 1, make: () => ({read() {}})}'),
	]);
	const make = () => own[0]?.owned?.make({}, {}, {} as never);
	t.throws(make, {code: 'DEVICE_MODULE_FAILED', message: /made\.mjs fails in "owned": it gives .* save and restore/});
});

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
