/** The package as its users get it: packed, unpacked and compiled against, with nothing of this checkout but the compiler. */

import {
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {basename, dirname, join} from 'node:path';
import anyTest, {type TestFn} from 'ava';
import {execute, PATHS} from '../core/index.ts';
import {agentTargets, builtAgent} from '../guest-agent/index.ts';
import {build} from './build.ts';
import {declarations} from './declarations.ts';
import {ENTRY_POINTS, LIBRARIES} from './entry-points.ts';
import {generateFiles} from './generate-files.ts';

/** `project`: where the package is installed. */
const test = anyTest as TestFn<{readonly project: string; readonly installed: string}>;

const quiet = {log: () => undefined, skip: () => undefined};
const folder = mkdtempSync(join(tmpdir(), 'openvmm-package-'));

test.before('pack', async (t) => {
	const source = join(folder, 'source');
	const dist = join(source, 'dist');
	for (const path of [
		'package.json',
		'README.md',
		'CONTRIBUTING.md',
		'LICENSE',
		'guide',
		'src/main/cli',
		'src/support/host',
	]) {
		cpSync(join(PATHS.repo, path), join(source, path), {recursive: true});
	}
	await build.run(quiet, {entryPoints: ENTRY_POINTS, folder: dist});
	await generateFiles.run(quiet, {folder: dist});
	await declarations.run(quiet, {entryPoints: LIBRARIES, folder: join(dist, 'types')});

	const project = join(folder, 'project');
	const installed = join(project, 'node_modules/openvmm');
	mkdirSync(installed, {recursive: true});
	const words = ['pack', '--ignore-scripts', '--offline', '--pack-destination', folder];
	const packed = await execute('npm', words, {cwd: source});
	t.is(packed.status, 0, packed.stderr);
	const archive = join(folder, packed.stdout.trim());
	const {status, stderr} = await execute('tar', ['-xzf', archive, '--strip-components=1', '-C', installed]);
	t.is(status, 0, stderr);
	t.context = {project, installed};
});

test.after.always(() => rmSync(folder, {recursive: true, force: true}));

const resolutions = {
	nodenext: {module: 'nodenext', moduleResolution: 'nodenext'},
	bundler: {module: 'esnext', moduleResolution: 'bundler'},
};

/** Type-checks sources in a folder of their own below `project` and returns what the compiler says. */
async function compile(project: string, name: string, sources: Readonly<Record<string, string>>, options: object) {
	const place = join(project, name);
	mkdirSync(place);
	for (const [file, text] of Object.entries(sources)) writeFileSync(join(place, file), text);
	writeFileSync(join(place, 'package.json'), '{"type": "module"}');
	const compilerOptions = {noEmit: true, strict: true, target: 'es2024', lib: ['es2024'], types: [], ...options};
	writeFileSync(join(place, 'tsconfig.json'), JSON.stringify({compilerOptions}));
	const tsc = join(PATHS.repo, 'node_modules/typescript/bin/tsc');
	const {stdout, stderr} = await execute(process.execPath, [tsc], {cwd: place});
	return `${stdout}${stderr}`;
}

const device = `
import {array, bits, byteFront, deviceType, flag, u8, u64, wire} from 'openvmm/devices';

export const State = wire('latch', {
	value: u8,
	mode: bits(u8, {on: flag(0)}),
	jobs: array(wire('job', {address: u64.halves, length: u64.asNumber}), 2),
});

const latch = deviceType({
	kind: 'latch',
	summary: 'A register',
	options: {port: {type: 'number', min: 0, max: 0xffff, default: 0x600, help: 'its port'}},
	state: State,
	attach: {regions: ({port}) => [{space: 'pio', name: 'register', base: port, length: 1}]},
	front: (_config, state) => byteFront({
		readByte: () => state.value,
		writeByte: (_region, _offset, value) => { state.value = value; },
	}),
});

export default latch;
`;

const program = `
import {createVm, isVmmError, serialPorts, VM, type Vm, type VmConfig, type VmExecResult, vmConfig} from 'openvmm';
import type {GuestMemory} from 'openvmm/devices';
import {type TestVmOptions, withVm} from 'openvmm/testing';

const config: VmConfig = vmConfig({
	processors: {count: 4},
	devices: [...serialPorts(), {module: './device.ts', options: {port: 0x600}}],
});

export async function run(): Promise<string> {
	const vm: Vm = await createVm(config);
	const memory: GuestMemory = vm.memory;
	memory.fill(0, 4096, 0);
	await vm.start();
	const end = await vm.ended;
	return end.kind === 'crash' ? end.reason : end.kind;
}

export async function used(): Promise<VmExecResult> {
	const vm = await VM.create({image: 'debian:12', network: {allow: ['*.debian.org:443']}});
	const [fork] = await vm.fork(1);
	const bytes: Uint8Array = (await fork!.exec(['true'], {output: 'bytes'})).stdout;
	await vm.files.write('/tmp/it', bytes);
	const command = await vm.spawn('cat');
	command.stdin.end('text');
	for await (const piece of command.stdout) bytes.set(piece);
	const {port} = await vm.forward(0, 80);
	await vm.stop();
	return vm.exec(\`echo \${port}\`, {check: true});
}
export const tested = (options: TestVmOptions) => withVm(options, (vm) => vm.console.find(/login:/));
export const registers = (vm: Vm) => vm.readRegisters(0);
export const codeOf = (error: unknown) => isVmmError(error) ? error.code : undefined;
`;

for (const [resolution, options] of Object.entries(resolutions)) {
	test(`a device and a program compile by themselves (${resolution})`, async (t) => {
		// Their own declarations can be written as well: every type they have has a name that they can import.
		const strict = {...options, declaration: true, skipLibCheck: false};
		t.is(await compile(t.context.project, resolution, {'device.ts': device, 'program.ts': program}, strict), '');
	});

	test(`wrong uses do not compile (${resolution})`, async (t) => {
		const wrong = {
			'device.ts': device.replace('=> state.value,', '=> state.valeu,'),
			'program.ts': program.replace('{count: 4}', '{cuont: 4}').replace('vm.start()', 'vm.boot()'),
		};
		const said = await compile(t.context.project, `wrong-${resolution}`, wrong, options);
		t.deepEqual(said.match(/^\S+\.ts|error TS\d+|'(valeu|cuont|boot)'/gm), [
			...['device.ts', 'error TS2551', "'valeu'"],
			...['program.ts', 'error TS2561', "'cuont'"],
			...['program.ts', 'error TS2339', "'boot'"],
		]);
	});
}

test("the guide's examples compile", async (t) => {
	const {project, installed} = t.context;
	mkdirSync(join(project, 'node_modules/@types'));
	symlinkSync(join(PATHS.repo, 'node_modules/@types/node'), join(project, 'node_modules/@types/node'));
	const names = readdirSync(join(installed, 'guide/examples'));
	t.true(names.length >= 6);
	const sources = names.map((name) => [name, readFileSync(join(installed, 'guide/examples', name), 'utf8')]);
	const options = {...resolutions.nodenext, types: ['node'], skipLibCheck: true};
	t.is(await compile(project, 'examples', Object.fromEntries(sources), options), '');
});

test('what package.json names is in the package', (t) => {
	const {installed} = t.context;
	const {exports, bin} = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
	const named = JSON.stringify({exports, bin}).match(/(?<=:")[^"]+\.[a-z.]+(?=")/g) ?? [];
	t.true(named.length >= 8);
	t.deepEqual(
		named.filter((path) => !existsSync(join(installed, path))),
		[],
	);
});

test("the guest's agents are in the package, as they are committed", (t) => {
	for (const {architecture} of agentTargets) {
		const path = builtAgent(architecture);
		t.true(readFileSync(join(t.context.installed, 'dist', basename(path))).equals(readFileSync(path)), architecture);
	}
});

test('the command without koffi, as without optional packages, says so in one line', async (t) => {
	const launcher = join(t.context.installed, 'src/main/cli/launcher.mjs');
	const {stdout, stderr, status} = await execute(process.execPath, [launcher, '-c', 'work=1']);
	t.is(stdout, '');
	t.regex(stderr, /^openvmm: C functions cannot be called: .* without --omit=optional\. \[HOST_KOFFI_MISSING\]\n$/);
	t.is(status, 4);
});

test('bundles are made of product code alone', (t) => {
	const dist = join(t.context.installed, 'dist');
	const maps = readdirSync(dist).filter((name) => name.endsWith('.js.map'));
	t.true(maps.length > ENTRY_POINTS.length);
	const sources = maps.flatMap((name): string[] => JSON.parse(readFileSync(join(dist, name), 'utf8')).sources);
	t.true(sources.some((path) => path.includes('/src/devices/')));
	t.deepEqual(
		sources.filter((path) => /\/(flowey|test|testing)\/|\.test\.ts$/.test(path.replace(/.*node_modules/, ''))),
		[],
	);
});

test('licenses of what is bundled are in the package', (t) => {
	const licenses = readFileSync(join(t.context.installed, 'dist/LICENSES.txt'), 'utf8');
	for (const [name, license] of [
		['comlink', 'Apache License'],
		['dns-packet', 'MIT License'],
	])
		t.regex(licenses, new RegExp(`^${name} [\\d.]+\\n\\n[^]*?${license}`, 'm'));
});

test("the README's links lead somewhere", (t) => {
	const {installed} = t.context;
	for (const file of ['README.md', 'guide/README.md', 'guide/devices.md']) {
		const links = readFileSync(join(installed, file), 'utf8').matchAll(/\]\((?!https?:)([^)#]+)/g);
		const broken = [...links].map(([, link = '']) => join(dirname(file), link));
		t.deepEqual(
			broken.filter((path) => !existsSync(join(installed, path))),
			[],
		);
	}
});

test('declarations that need what users may lack are refused', async (t) => {
	const workers = {name: 'workers', source: join(PATHS.repo, 'src/main/workers/index.ts')};
	await t.throwsAsync(declarations.run(quiet, {entryPoints: [workers], folder: join(folder, 'leaking')}), {
		message: /refer to .*comlink.*, which users of the package need not have/,
	});
	t.false(existsSync(join(folder, 'leaking')));
});
