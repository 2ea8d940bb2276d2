import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {serialPorts} from '#devices/chipset/serial-16550';
import type {SerialBackendConfig} from '#devices/serial-backends';
import {
	type ConfigHost,
	checkConfig,
	checkProcessConfig,
	linuxDefaultWords,
	linuxHost,
	type VmOptions,
	vmConfig,
} from './index.ts';

const MiB = 2 ** 20;

/** A host with 8 GiB, room for files of 16, and 4 free huge pages of 2 MiB. */
const host: ConfigHost = {
	...linuxHost,
	fileRoom: () => 16_384 * MiB + 4096,
	memoryBytes: () => 8192 * MiB,
	hugepageSizes: () => [2 * MiB],
	freeHugepages: () => 4,
};
const codes = (options: VmOptions, on = host) => checkConfig(vmConfig(options), on).map((problem) => problem.code);
const lines = (options: VmOptions) =>
	checkConfig(vmConfig(options), host).map((problem) => `${problem.message}. ${problem.remedy}`);

const directory = mkdtempSync(join(tmpdir(), 'openvmm-config-'));
const file = join(directory, 'file');
writeFileSync(file, 'kernel');
test.after.always(() => rmSync(directory, {recursive: true}));

test('a hypervisor that does not exist is refused with those that do', (t) => {
	const unknown = {hypervisor: 'fake'} as unknown as VmOptions;
	t.deepEqual(codes(unknown), ['CONFIG_VALUE_INVALID']);
	t.regex(lines(unknown)[0] ?? '', /--hypervisor "fake".*auto, kvm/);
});

test('the defaults can be built', (t) => {
	t.deepEqual(codes({}), []);
});

test('a configuration survives structured clone and JSON', (t) => {
	const config = vmConfig({memory: {hugepages: true}, devices: [{kind: 'debug-exit', options: {port: 0xf4}}]});
	t.deepEqual(structuredClone(config), config);
	t.deepEqual(JSON.parse(JSON.stringify(config)), config);
});

for (const count of [0, 1025, 10_000, -1, 1.5, Number.NaN]) {
	test(`${count} processors are refused with the range`, (t) => {
		t.deepEqual(lines({processors: {count}}), [
			`--processors ${count} is out of range. Give a whole number from 1 to 1024`,
		]);
	});
}

test('more processors than the host has memory for the threads of are refused', (t) => {
	t.deepEqual(codes({processors: {count: 400}}), []);
	t.deepEqual(codes({processors: {count: 1024}}), ['CONFIG_HOST_MEMORY_PROCESSORS']);
});

const sizes: [number, string][] = [
	[0, 'CONFIG_MEMORY_ZERO'],
	[1, 'CONFIG_MEMORY_TOO_SMALL'],
	[-4096, 'CONFIG_MEMORY_TOO_SMALL'],
	[Number.NaN, 'CONFIG_MEMORY_TOO_SMALL'],
	[MiB, 'CONFIG_MEMORY_TOO_SMALL'],
	[64 * MiB + 1, 'CONFIG_MEMORY_UNALIGNED'],
	[64 * MiB + 0.5, 'CONFIG_MEMORY_UNALIGNED'],
	[9000 * MiB, 'CONFIG_HOST_MEMORY_SHORT'],
	[2 ** 52, 'CONFIG_MEMORY_TOO_LARGE'],
	[Number.POSITIVE_INFINITY, 'CONFIG_MEMORY_TOO_LARGE'],
];
for (const [sizeBytes, code] of sizes) {
	test(`${sizeBytes} bytes of memory are refused as ${code}`, (t) => {
		t.deepEqual(codes({memory: {sizeBytes}}), [code]);
	});
}

test('the remedy for an odd size names the nearest sizes', (t) => {
	t.deepEqual(lines({memory: {sizeBytes: 64 * MiB + 1}}), [
		'Memory size 67108865B is not a multiple of 4KB. Nearest: 64MB or 65540KB',
	]);
});

test('memory in a file may be larger than the host', (t) => {
	t.deepEqual(codes({memory: {sizeBytes: 9000 * MiB, file: join(directory, 'new')}}), []);
});

test('a memory file of another size is refused', (t) => {
	t.deepEqual(lines({memory: {file}}), [
		`Memory file "${file}" holds 6B, the machine has 1GB. Give size=6B, or name a file that is new or empty`,
	]);
});

test('a memory file that its file system cannot come to hold is refused', (t) => {
	const path = join(directory, 'new');
	t.deepEqual(codes({memory: {sizeBytes: 16_384 * MiB, file: path}}), []);
	t.deepEqual(lines({memory: {sizeBytes: 16_385 * MiB, file: path}}), [
		`Memory file "${path}" can come to hold 16GB on its file system, the machine has 16385MB. Give less memory, make room there, or name a file elsewhere`,
	]);
});

test('a file system without a size is no limit', (t) => {
	t.is(linuxHost.fileRoom('/proc/self/status'), Number.POSITIVE_INFINITY);
});

test('huge pages are held against the pool of the host', (t) => {
	const hugepages = true;
	t.deepEqual(codes({memory: {sizeBytes: 8 * MiB, hugepages}}), []);
	t.deepEqual(codes({memory: {sizeBytes: 10 * MiB, hugepages}}), ['CONFIG_HUGEPAGES_SHORT']);
	t.deepEqual(codes({memory: {sizeBytes: 7 * MiB, hugepages}}), ['CONFIG_MEMORY_UNALIGNED']);
	t.deepEqual(codes({memory: {sizeBytes: 8 * MiB, hugepages, hugepageSizeBytes: 3 * MiB}}), ['CONFIG_HUGEPAGE_SIZE']);
});

test('memory options that exclude each other are refused from a program too', (t) => {
	const memory = {sizeBytes: 8 * MiB, hugepages: true, shared: false};
	t.deepEqual(codes({memory}), ['CONFIG_CONFLICT']);
});

const boot = (kernel: string): VmOptions => ({boot: {kind: 'linux', kernel, commandLine: []}});

test('a kernel that is missing, a directory, below a file or nameless is refused by cause', (t) => {
	t.deepEqual(lines(boot('/nonexistent/vmlinux')), ['--kernel "/nonexistent/vmlinux" does not exist. Check the path']);
	t.deepEqual(lines(boot(directory)), [`--kernel "${directory}" is a directory, not a file. Name a regular file`]);
	t.deepEqual(lines(boot(join(file, 'x'))), [
		`--kernel "${file}/x" does not exist: "${file}" is a file, not a directory. Check the path`,
	]);
	t.deepEqual(lines(boot('')), ['--kernel names no file. Give a path, or leave out --kernel']);
	t.deepEqual(lines(boot('/dev/null')), [
		'--kernel "/dev/null" is a character device, not a file. Name a regular file',
	]);
	t.deepEqual(codes(boot('a\0b')), ['CONFIG_PATH_UNREACHABLE']);
	t.deepEqual(codes(boot(`/${'a'.repeat(5000)}`)), ['CONFIG_PATH_UNREACHABLE']);
});

test('a kernel that may not be read is refused', (t) => {
	const denying = {...host, may: () => false};
	t.deepEqual(codes(boot(file), denying), ['CONFIG_PATH_DENIED']);
});

test('an output path needs a directory that can be written', (t) => {
	const logLevel = 'warn';
	const check = (logFile: string, on = host) =>
		checkProcessConfig({logLevel, logFile}, on).map((problem) => problem.message);
	t.deepEqual(check(join(directory, 'log')), []);
	t.deepEqual(check('/dev/null'), []);
	t.deepEqual(check(directory), [`--log-file "${directory}" is a directory, not a file`]);
	t.deepEqual(check('/nonexistent/a/log'), [
		'--log-file "/nonexistent/a/log" cannot be made: the directory "/nonexistent/a" does not exist',
	]);
	t.deepEqual(check(join(file, 'log')), [
		`--log-file "${file}/log" cannot be made: "${file}" is a file, not a directory`,
	]);
	t.deepEqual(check(join(directory, 'log'), {...host, may: () => false}), [
		`--log-file "${directory}/log" cannot be written: no permission on "${directory}"`,
	]);
});

/** With COM2 so bound, and COM1 as usual. */
const com2 = (binding: SerialBackendConfig): VmOptions => ({devices: serialPorts({com2: binding})});
const console = {kind: 'console', outputFd: 1} as const;

test('a socket path may be new but not another file', (t) => {
	t.deepEqual(codes(com2({kind: 'listen-unix', path: join(directory, 'socket')})), []);
	t.deepEqual(codes(com2({kind: 'listen-unix', path: file})), ['CONFIG_PATH_NOT_SOCKET']);
});

test('only one port may have the console', (t) => {
	t.deepEqual(lines(com2(console)), [
		'com1 and com2 both ask for the console. Bind one of them elsewhere, for example to none or to a file',
	]);
	t.deepEqual(codes({devices: serialPorts({com1: {kind: 'none'}, com2: console})}), []);
});

test('every problem is listed', (t) => {
	t.deepEqual(
		codes({
			processors: {count: 0, vpsPerSocket: 0, apicIdOffset: -1},
			memory: {sizeBytes: 0},
			devices: [
				{kind: 'debug-exit', options: {port: 0x1_0000}},
				{kind: 'latch', options: {prot: 1}},
				{kind: 'no-such-kind'},
			],
			guestActions: {reset: {exit: 256}},
		}),
		[
			'CONFIG_NUMBER_RANGE',
			'CONFIG_NUMBER_RANGE',
			'CONFIG_NUMBER_RANGE',
			'CONFIG_MEMORY_ZERO',
			'CONFIG_NUMBER_RANGE',
			'CONFIG_VALUE_MISSING',
			'CONFIG_KEY_UNKNOWN',
			'CONFIG_DEVICE_KIND',
			'CONFIG_NUMBER_RANGE',
		],
	);
});

test('the words for Linux point it at the port that has the console, and can be left away', (t) => {
	const words = (options: VmOptions) => linuxDefaultWords(vmConfig(options)).join(' ');
	const bare = {kind: 'linux', kernel: 'k', commandLine: ['quiet'], defaultWords: false} as const;
	t.is(words({}), 'panic=-1 debug console=ttyS0');
	t.is(
		words({devices: serialPorts({com1: {kind: 'none'}, com2: console}), ...boot('k')}),
		'panic=-1 debug console=ttyS1',
	);
	t.is(words({devices: serialPorts({com1: {kind: 'stderr'}})}), 'panic=-1 debug');
	t.is(words({boot: bare}), '');
});

test('of an initrd that is a list of modules each file is looked at, and a file of that very name is no list', (t) => {
	const check = (initrd: string) => lines({boot: {kind: 'linux', kernel: file, initrd, commandLine: []}});
	const odd = join(directory, 'a b,c');
	writeFileSync(odd, '');
	t.deepEqual(check(odd), []);
	t.deepEqual(check(`${file} some words, ${file}`), []);
	t.deepEqual(check(`${file} words,${directory}/none`), [
		`--initrd "${directory}/none" does not exist. Check the path`,
	]);
	t.deepEqual(check(`${file},`), ['--initrd names no file. Give a path, or leave out --initrd']);
});
