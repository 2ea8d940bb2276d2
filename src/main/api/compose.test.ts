import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {checkConfig, vmConfig} from '#main/config';
import {memoryFolder} from '#main/folders';
import type {OpenedImage} from '#main/oci';
import {makeImage, writeLayout} from '#main/oci/testing';
import {hostParts, nameOf, openRoot, shapeOf} from './compose.ts';
import {againFolderPorts} from './folder-ports.ts';
import {MachineConsole} from './guest-console.ts';
import {guestWords} from './guest-words.ts';
import {MachineFolder} from './machine-folder.ts';
import {nicFor} from './network.ts';
import type {CreateVmOptions} from './options.ts';
import {folderDevices} from './shared-folders.ts';

/** A configuration as a machine of these choices has it, with a root that was made of an image. */
async function configOf(
	t: {teardown(work: () => void): void},
	options: CreateVmOptions,
	image: OpenedImage | undefined = {kind: 'disk', path: '/images/disk.qcow2', format: 'qcow2'},
) {
	const folder = MachineFolder.make();
	t.teardown(() => void folder[Symbol.asyncDispose]());
	const guestConsole = new MachineConsole('vm');
	t.teardown(() => guestConsole.close());
	const {devices} = await hostParts(options, {name: 'vm', folder, image, guestConsole});
	return vmConfig({...shapeOf(options), boot: {kind: 'none'}, devices});
}

const optionsOf = (config: Awaited<ReturnType<typeof configOf>>, name: string) =>
	config.devices.find((each) => 'kind' in each && each.name === name)?.options;

test('a machine without choices has a console, sockets, a root that stays as it is, and a network', async (t) => {
	const config = await configOf(t, {});
	t.deepEqual(
		config.devices.flatMap((each) => ('kind' in each && !each.name?.startsWith('com') ? [each.name] : [])),
		['vsock', 'root', 'net'],
	);
	t.is(config.memory.sizeBytes, 2 ** 30);
	t.like(optionsOf(config, 'root'), {disk: {kind: 'memdiff', disk: {kind: 'file', format: 'qcow2'}}});
	t.like(optionsOf(config, 'net'), {endpoint: {kind: 'consomme', name: 'vm'}});
});

test('a disk of the program’s own is written to where that is asked for, and an image of others is not', async (t) => {
	const own = await configOf(t, {writable: true, network: false, memory: '64M', processors: 3});
	t.like(optionsOf(own, 'root'), {disk: {kind: 'file', format: 'qcow2'}});
	t.is(optionsOf(own, 'net'), undefined);
	t.is(own.memory.sizeBytes, 64 * 2 ** 20);
	t.is(own.processors.count, 3);
	const folder = MachineFolder.make();
	t.teardown(() => void folder[Symbol.asyncDispose]());
	const guestConsole = new MachineConsole('vm');
	t.teardown(() => guestConsole.close());
	const config = {
		env: [],
		entrypoint: [],
		cmd: [],
		workingDir: '/',
		user: '',
		exposedPorts: [],
		stopSignal: '',
		labels: {},
	};
	const image = {kind: 'root', path: '/r', sizeBytes: 1, digest: 'sha256:', config} as const;
	const asked = hostParts({writable: true}, {name: 'vm', folder, image, guestConsole});
	await t.throwsAsync(asked, {code: 'VM_OPTION_INVALID', message: /writable/});
});

test('folders have devices by their order, and are mounted by absolute paths', async (t) => {
	const shared = mkdtempSync(join(tmpdir(), 'openvmm-shared-'));
	t.teardown(() => rmSync(shared, {recursive: true, force: true}));
	const more = {xattrs: true, locks: true, submounts: true};
	const config = await configOf(t, {
		folders: {'/a': shared, '/b': {folder: shared, readOnly: true, cache: 'never', ...more}},
	});
	t.like(optionsOf(config, 'folder0'), {tag: 'folder/a', folder: shared});
	t.like(optionsOf(config, 'folder1'), {tag: 'folder/b', readOnly: true, cache: 'never', ...more});
	await t.throwsAsync(configOf(t, {folders: {b: shared}}), {code: 'VM_OPTION_INVALID'});
	await t.throwsAsync(configOf(t, {folders: {'/a': shared, '/b/../a/': shared}}), {code: 'VM_OPTION_INVALID'});
	const many = Object.fromEntries(Array.from({length: 17}, (_, index) => [`/${index}`, shared]));
	await t.throwsAsync(configOf(t, {folders: many}), {code: 'VM_OPTION_INVALID', message: /17 folders/});
});

test('folders of a machine that goes on are given to its devices by their paths', (t) => {
	const long = `/${'deep/'.repeat(20)}`;
	const before = folderDevices({'/a': '/1', '/b/': '/2', [long]: '/3'}, 1);
	const tags = before.map(({options}) => options?.['tag'] as string);
	t.deepEqual(tags.slice(0, 2), ['folder/a', 'folder/b']);
	t.regex(tags[2] ?? '', /^folder-[0-9a-f]{24}$/);
	const saved = new Map(
		before.map(({name, kind, options}) => [name as string, {kind, options: {tag: options?.['tag']}}]),
	);
	const again = folderDevices({[long]: '/new3', '/b': {folder: '/new2', cache: 'never'}}, 0, saved);
	t.deepEqual(again, [
		{kind: 'virtio-fs-mmio', name: 'folder2', options: {folder: '/new3', tag: tags[2]}},
		{kind: 'virtio-fs-mmio', name: 'folder1', options: {folder: '/new2', cache: 'never', tag: 'folder/b'}},
	]);
	const other = t.throws(() => folderDevices({'/c': '/1'}, 0, saved), {code: 'VM_OPTION_INVALID'});
	t.regex(other?.message ?? '', /"\/c"/);
});

test('a folder whose files are mapped is behind a port of PCI Express, beside those of the program', async (t) => {
	const port = {hotplug: false, acs: 0, pasid: false};
	const own = {rootComplex: 'rc0', name: 'rp0', ...port};
	const complex = {startBus: 0, endBus: 5, lowMmioBytes: 2 ** 26, highMmioBytes: 2 ** 30, preserveBars: false};
	const pcie = {rootComplexes: [{name: 'rc0', segment: 0, ...complex}], rootPorts: [own]};
	const folders = {'/a': '/', '/b': {folder: '/', dax: '1G', readOnly: true}, '/c': {folder: '/', dax: 2 ** 22}};
	const config = await configOf(t, {folders, machine: {pcie}, network: false});
	t.like(
		config.devices.find(({name}) => name === 'folder1'),
		{
			kind: 'virtio-fs',
			port: 'folder1-port',
			options: {tag: 'folder/b', readOnly: true, dax: 2 ** 30},
		},
	);
	const problems = checkConfig(config).map(({code}) => code);
	t.deepEqual(
		problems.filter((code) => code.startsWith('PCIE_')),
		[],
	);
	const {rootComplexes = [], rootPorts = []} = config.pcie ?? {};
	t.deepEqual(
		rootComplexes.map(({name, segment}) => [name, segment]),
		[
			['rc0', 0],
			['folders', 1],
		],
	);
	t.deepEqual(
		rootPorts.map(({name, rootComplex}) => `${rootComplex}:${name}`),
		['rc0:rp0', 'folders:folder1-port', 'folders:folder2-port'],
	);
	t.true((rootComplexes[1]?.highMmioBytes ?? 0) >= 2 ** 30 + 2 ** 22);
	t.is((await configOf(t, {folders: {'/a': '/'}})).pcie, undefined);
	t.deepEqual(againFolderPorts(pcie, config.pcie), {rootComplexes, rootPorts});
	for (const dax of ['1M', 2 ** 20, '8G']) {
		const wrong = checkConfig(await configOf(t, {folders: {'/a': {folder: '/', dax}}}));
		t.true(
			wrong.some(({code, message}) => code === 'CONFIG_VALUE_INVALID' && /folder0 dax/.test(message)),
			`${dax}`,
		);
	}
	const object = configOf(t, {folders: {'/a': {folder: memoryFolder(), dax: '1G'}}});
	await t.throwsAsync(object, {code: 'VM_OPTION_INVALID', message: /"\/a"/});
});

test('each NIC has an address of its own, and a program’s policy and rules get to its network', (t) => {
	const connect = () => ({kind: 'allow'}) as const;
	const nic = nicFor({allow: ['example.com:443'], connect}, 'web');
	t.like(nic?.options, {endpoint: {kind: 'consomme', name: 'web', allow: ['example.com:443'], connect}});
	const macs = Array.from({length: 50}, () => nicFor(true, 'web')?.options?.['mac'] as string);
	t.is(new Set(macs).size, 50);
	for (const mac of macs) t.regex(mac, /^.[26ae](:..){5}$/, 'of one guest, and locally administered');
	const own = {
		mac: '02:00:00:00:00:01',
		mtu: 9000,
		queues: 2,
		limits: {bps_tx: 1_000_000},
		capture: '/tmp/frames.pcapng',
	};
	t.like(nicFor({endpoint: 'switch:lab', ...own}, 'web')?.options, {endpoint: 'switch:lab', ...own});
	const target = {address: '127.0.0.1', port: 8080};
	const guestForwards = [{protocol: 'tcp', address: undefined, port: 80, target}] as const;
	const endpoint = {kind: 'consomme', name: 'web', closed: 'private', guestForwards} as const;
	t.deepEqual(nicFor({closed: 'private', guestForwards, ...own}, 'web')?.options?.['endpoint'], endpoint);
	t.is(nicFor(false, 'web'), undefined);
});

test('the agent is told the name, the root and the address that the network gives', (t) => {
	t.deepEqual(guestWords({}, {name: 'web', image: 'disk'}), [
		'openvmm.hostname=web',
		'root=/dev/vda',
		'rw',
		'ip=10.0.0.2::10.0.0.1:255.255.255.0:::off:10.0.0.1',
	]);
	const other = {network: {cidr: '192.168.7.0/28'}, root: 'LABEL=root'};
	t.deepEqual(guestWords(other, {name: 'web', image: 'disk'}).slice(1), [
		'root=LABEL=root',
		'rw',
		'ip=192.168.7.2::192.168.7.1:255.255.255.240:::off:192.168.7.1',
	]);
	for (const network of [false, {endpoint: 'switch:lab'}, {endpoint: {kind: 'switch', name: 'lab'}}])
		t.deepEqual(guestWords({network}, {name: 'web', image: undefined}), ['openvmm.hostname=web']);
	const shared = {network: {endpoint: {kind: 'consomme', switch: 'lab', cidr: '192.168.8.0/24'}}};
	t.deepEqual(guestWords(shared, {name: 'web', image: undefined}).slice(1), [
		'ip=192.168.8.2::192.168.8.1:255.255.255.0:::off:192.168.8.1',
	]);
});

test('a folder that is shared is the root itself, which the guest changes where that is asked for', async (t) => {
	const shared = mkdtempSync(join(tmpdir(), 'openvmm-shared-'));
	t.teardown(() => rmSync(shared, {recursive: true, force: true}));
	const image = await openRoot({image: {image: `folder:${shared}`, folder: 'share'}});
	t.like(image, {kind: 'folder', path: shared});
	const kept = await configOf(t, {folders: {'/a': shared}}, image);
	t.like(optionsOf(kept, 'root'), {tag: 'root', folder: shared, readOnly: true});
	t.like(optionsOf(kept, 'folder0'), {tag: 'folder/a', folder: shared});
	t.like(optionsOf(await configOf(t, {writable: true}, image), 'root'), {readOnly: false});
	const many = Object.fromEntries(Array.from({length: 16}, (_, index) => [`/${index}`, shared]));
	await t.throwsAsync(configOf(t, {folders: many}, image), {code: 'VM_OPTION_INVALID', message: /16 folders/});
	const words = (writable: boolean) => guestWords({writable, network: false}, {name: 'web', image: 'folder'}).slice(1);
	t.deepEqual(words(true), ['root=root', 'rootfstype=virtiofs', 'rw']);
	t.deepEqual(words(false), ['root=root', 'rootfstype=virtiofs', 'ro', 'openvmm.overlay=tmpfs']);
});

test('names are those of hosts', (t) => {
	t.regex(nameOf({}), /^vm-[0-9a-f]{6}$/);
	t.is(nameOf({name: 'a-1'}), 'a-1');
	for (const name of ['', 'A', 'a b', '-a', 'a-', 'a'.repeat(64), 'a/../b', 'root=x'])
		t.throws(() => nameOf({name}), {code: 'VM_OPTION_INVALID'}, name);
});

test('of an image each part is told of by its name, and counts for itself', async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-parts-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	const v1 = makeImage({compression: 'gzip', layers: [[{path: 'a', data: 'x'.repeat(10_000)}]], config: {}});
	const image = {image: `oci:${await writeLayout(join(folder, 'layout'), {v1})}`, cache: join(folder, 'cache')};
	const parts = new Set<string | undefined>();
	const progress = (step: string, done: number, total: number, part?: string) => {
		t.is(step, 'image');
		t.true(total === 0 || done <= total, part);
		parts.add(part);
	};
	await openRoot({image: {...image, freeBytes: 2 ** 24}, progress});
	for (const part of ['unpack', 'write']) t.true(parts.has(part), part);
	parts.clear();
	await openRoot({image: {...image, freeBytes: 2 ** 24}, progress});
	t.deepEqual([...parts], [undefined], 'one that is there already is a step, too');
});

test('disks are in their order behind the root, as text of the flag or as files', async (t) => {
	const disks = [
		'mem:1M,ro',
		{path: 'data.qcow2', readOnly: true, serial: 'data'},
		{path: 'raw.qcow2', format: 'raw'},
	] as const;
	const config = await configOf(t, {network: false, disks});
	t.like(optionsOf(config, 'disk0'), {disk: {kind: 'memory', bytes: 2 ** 20}, readOnly: true});
	t.like(optionsOf(config, 'disk1'), {
		disk: {kind: 'file', path: 'data.qcow2', format: 'qcow2'},
		readOnly: true,
		id: 'data',
	});
	t.deepEqual(optionsOf(config, 'disk2')?.['disk' as never], {kind: 'file', path: 'raw.qcow2'} as never);
	const names = config.devices.flatMap((each) =>
		'kind' in each && each.kind === 'virtio-blk-mmio' ? [each.name] : [],
	);
	t.deepEqual(names, ['root', 'disk0', 'disk1', 'disk2']);
	await t.throwsAsync(configOf(t, {disks: ['mem:1M,nonsense']}), {message: /nonsense/});
	const many = configOf(t, {disks: Array.from({length: 16}, () => 'mem:1M')});
	await t.throwsAsync(many, {code: 'VM_OPTION_INVALID', message: /disks is 16 disks/});
});
