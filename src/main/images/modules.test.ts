import test from 'ava';
import {aliasEntries, type ModuleSource, moduleName, modulesAlias, modulesDep, pickModules} from './modules.ts';

/** Modules by name with what they depend on; `builtIn` are part of the kernel. */
function source(depends: Readonly<Record<string, readonly string[]>>, builtIn: readonly string[] = []): ModuleSource {
	return {
		path: (name) => (name in depends ? `kernel/${name}.ko` : undefined),
		isBuiltIn: (name) => builtIn.includes(name),
		info: async (name) => ({depends: depends[name] ?? [], aliases: [`pci:${name}`]}),
		release: '6.1',
	};
}

test('a module comes after everything it depends on', async (t) => {
	const modules = await pickModules(source({disk: ['bus', 'core'], bus: ['core'], core: []}), ['disk']);

	t.deepEqual(
		modules.map(({name}) => name),
		['core', 'bus', 'disk'],
	);
});

test('modules.dep lists dependencies so that loading a line from its end works', async (t) => {
	const modules = await pickModules(source({disk: ['core', 'bus'], bus: ['ring', 'core'], ring: ['core'], core: []}), [
		'disk',
	]);

	t.is(modulesDep(modules).split('\n').at(-2), 'kernel/disk.ko: kernel/bus.ko kernel/ring.ko kernel/core.ko');
});

test('code that is built into the kernel needs no module', async (t) => {
	const modules = await pickModules(source({disk: ['core']}, ['core']), ['core', 'disk']);

	t.deepEqual(
		modules.map(({path, needs}) => ({path, needs})),
		[{path: 'kernel/disk.ko', needs: []}],
	);
});

test('an unknown module and a circle are errors that name the modules', async (t) => {
	await t.throwsAsync(pickModules(source({}), ['nothing']), {
		code: 'IMAGE_MODULE_MISSING',
		message: 'Kernel 6.1 has no module nothing, neither as a file nor built in',
	});
	await t.throwsAsync(pickModules(source({a: ['b'], b: ['a']}), ['a']), {
		code: 'IMAGE_MODULE_DAMAGED',
		message: 'Kernel module a cannot be read: it needs itself (a, b)',
	});
});

test('aliases lead from a device to the module', async (t) => {
	t.is(modulesAlias(await pickModules(source({disk: []}), ['disk'])), 'alias pci:disk disk\n');
});

test('an alias of an index has dashes within brackets only', (t) => {
	const module = {name: 'net', path: '', needs: [], aliases: ['virtio-d[0-9]v-*']};
	t.deepEqual(aliasEntries(module), [['virtio_d[0-9]v_*', 'net']]);
});

test('a module has one name however its file is spelled', async (t) => {
	t.is(moduleName('kernel/arch/x86/kvm/kvm-amd.ko'), 'kvm_amd');
	t.is(moduleName('fs/fuse/virtiofs.ko.xz'), 'virtiofs');
});
