import {join} from 'node:path';
import test from 'ava';
import {serialPorts} from '#devices/chipset/serial-16550';
import {vmConfig} from '#main/config';
import {isVmmError, type VmmError, type VmmErrorCode} from '#support/errors';
import {chooseMachine} from './choose-machine.ts';
import {readLine} from './operation-line.ts';
import {parseCommandLine} from './parse.ts';
import {type Environment, type RunConfig, toConfig} from './to-config.ts';

/** Gives the configuration that `words` ask for. */
function config(words: string, env: Environment = {}): RunConfig {
	const line = parseCommandLine(words === '' ? [] : words.split(' '));
	if (line.command !== 'boot') throw new Error(`Not a machine: ${line.command}`);
	return toConfig(line.flags, env);
}

/** Gives the error that `words` cause. */
function refusal(words: string, env: Environment = {}): VmmError {
	try {
		config(words, env);
	} catch (error) {
		if (isVmmError(error)) return error;
		throw error;
	}
	throw new Error(`Accepted: ${words}`);
}

test('no flags give the default machine', (t) => {
	t.deepEqual(config(''), {vm: vmConfig(), process: {logLevel: 'warn'}});
});

const accepted: [string, Parameters<typeof vmConfig>[0]][] = [
	['-p 4', {processors: {count: 4}}],
	['-p4', {processors: {count: 4}}],
	['--processors=4', {processors: {count: 4}}],
	['-p 2 -p 8', {processors: {count: 8}}],
	[
		'--vps-per-socket 2 --smt off --x2apic on --apic-id-offset 16',
		{processors: {vpsPerSocket: 2, smt: 'off', x2apic: 'on', apicIdOffset: 16}},
	],
	['--cpu x86-64-v2,-popcnt', {cpu: {model: 'x86-64-v2', with: [], without: ['popcnt']}}],
	['-m 512MB', {memory: {sizeBytes: 512 * 2 ** 20}}],
	['-m 1G -m size=64M,thp=off', {memory: {sizeBytes: 64 * 2 ** 20, thp: false}}],
	['-k vmlinuz', {boot: {kind: 'linux', kernel: 'vmlinuz', commandLine: []}}],
	['-k a -k b -r i -c quiet -c ro', {boot: {kind: 'linux', kernel: 'b', initrd: 'i', commandLine: ['quiet', 'ro']}}],
	['-k a --no-default-cmdline -c ro', {boot: {kind: 'linux', kernel: 'a', commandLine: ['ro'], defaultWords: false}}],
	['-c echo', {boot: {kind: 'embedded', commandLine: ['echo']}}],
	['-k a -c=--flag', {boot: {kind: 'linux', kernel: 'a', commandLine: ['--flag']}}],
	['--flat a.bin,address=0x7c00,mode=real', {boot: {kind: 'flat', image: 'a.bin', address: 0x7c00, mode: 'real'}}],
	[
		'--com1 none --com2=file=/tmp/x',
		{devices: serialPorts({com1: {kind: 'none'}, com2: {kind: 'file', path: '/tmp/x'}})},
	],
	[
		'--com3 stderr --com4 listen=tcp:127.0.0.1:1',
		{devices: serialPorts({com3: {kind: 'stderr'}, com4: {kind: 'listen-tcp', host: '127.0.0.1', port: 1}})},
	],
	[
		'--debugcon 0xe9,stderr --debug-exit 0xf4',
		{
			devices: [
				...serialPorts(),
				{kind: 'debugcon', options: {port: 0xe9, backend: {kind: 'stderr'}}},
				{kind: 'debug-exit', options: {port: 0xf4}},
			],
		},
	],
	['--com1 none --battery --hpet', {devices: [{kind: 'hpet'}, {kind: 'battery'}]}],
	[
		'--com1 none --virtio-rng --virtio-rng --virtio-blk mem:1M,pcie_port=rp0 --virtio-blk mem:512 --virtio-blk mem:4G,num_queues=16,workers=8,packed=off,in_order,ro',
		{
			devices: [
				{kind: 'virtio-rng-mmio', options: {base: 0xf804_0000}},
				{kind: 'virtio-blk', port: 'rp0', options: {disk: {kind: 'memory', bytes: 2 ** 20}}},
				{kind: 'virtio-blk-mmio', options: {disk: {kind: 'memory', bytes: 512}, base: 0xf802_0000}},
				{
					kind: 'virtio-blk-mmio',
					options: {
						disk: {kind: 'memory', bytes: 2 ** 32},
						queues: 16,
						workers: 8,
						readOnly: true,
						packed: false,
						inOrder: true,
						base: 0xf802_1000,
					},
				},
			],
		},
	],
	[
		'--com1 none --virtio-blk disk.img,ro,serial=root --virtio-blk file:/d:1.vhd;direct;create=1G;engine=threads;format=raw',
		{
			devices: [
				{
					kind: 'virtio-blk-mmio',
					options: {disk: {kind: 'file', path: 'disk.img'}, readOnly: true, id: 'root', base: 0xf802_0000},
				},
				{
					kind: 'virtio-blk-mmio',
					options: {
						disk: {kind: 'file', path: '/d:1.vhd', direct: true, create: 2 ** 30, engine: 'threads'},
						base: 0xf802_1000,
					},
				},
			],
		},
	],
	[
		'--com1 none --nvme-pci id=a,pcie_port=rp0 --nvme-pci id=b,pcie_port=rp1,workers=2 --disk mem:1M,on=b,nsid=7,ro --disk file:a.img;direct,on=b,off --disk mem:2M,on=a',
		{
			devices: [
				{
					name: 'a',
					kind: 'nvme',
					port: 'rp0',
					options: {serial: 'a', namespaces: [{nsid: 1, disk: {kind: 'memory', bytes: 2 ** 21}, readOnly: false}]},
				},
				{
					name: 'b',
					kind: 'nvme',
					port: 'rp1',
					options: {
						serial: 'b',
						workers: 2,
						namespaces: [
							{nsid: 7, disk: {kind: 'memory', bytes: 2 ** 20}, readOnly: true},
							{nsid: 8, disk: {kind: 'file', path: 'a.img', direct: true}, readOnly: false, detached: true},
						],
					},
				},
			],
		},
	],
	[
		'--com1 none --nvme-pci id=n,pcie_port=rp1 --virtio-scsi id=a,pcie_port=rp0,num_queues=4,workers=2 --virtio-scsi id=b,packed=off --disk mem:1M,on=a,lun=7,ro,iops=5 --disk a.iso,on=a,dvd,off,iops=5,timeout=9,on_error=stop --disk mem:2M,on=n --disk mem:2M,on=b,on_error=stop',
		{
			devices: [
				{
					name: 'n',
					kind: 'nvme',
					port: 'rp1',
					options: {serial: 'n', namespaces: [{nsid: 1, disk: {kind: 'memory', bytes: 2 ** 21}, readOnly: false}]},
				},
				{
					name: 'a',
					kind: 'virtio-scsi',
					port: 'rp0',
					options: {
						serial: 'a',
						queues: 4,
						workers: 2,
						units: [
							{lun: 7, disk: {kind: 'memory', bytes: 2 ** 20}, readOnly: true, policy: {limits: {iops: 5}}},
							{
								lun: 8,
								disk: {kind: 'file', path: 'a.iso'},
								readOnly: false,
								dvd: true,
								detached: true,
								policy: {limits: {iops: 5}, onError: 'stop', timeout: 9},
							},
						],
					},
				},
				{
					name: 'b',
					kind: 'virtio-scsi-mmio',
					options: {
						serial: 'b',
						packed: false,
						base: 0xf808_0000,
						units: [{lun: 0, disk: {kind: 'memory', bytes: 2 ** 21}, readOnly: false, policy: {onError: 'stop'}}],
					},
				},
			],
		},
	],
	[
		'--com1 none --virtio-rng --virtio-rng-bus mmio --virtio-rng-pcie-port rp0',
		{devices: [{kind: 'virtio-rng', port: 'rp0'}]},
	],
	['--debugcon 1,stderr --debugcon 2,none --com1 none', {devices: [{kind: 'debugcon', options: {port: 2}}]}],
	[
		'--pcie-root-complex rc0 --pcie-root-port rc0:rp0,hotplug --pcie-switch rp0:sw --pcie-ecam-below-4gb',
		{
			pcie: {
				rootComplexes: [
					{
						name: 'rc0',
						segment: 0,
						startBus: 0,
						endBus: 255,
						lowMmioBytes: 64 * 2 ** 20,
						highMmioBytes: 2 ** 30,
						preserveBars: false,
					},
				],
				rootPorts: [{rootComplex: 'rc0', name: 'rp0', hotplug: true, acs: 0x5f, pasid: false}],
				switches: [{port: 'rp0', name: 'sw', downstreamPorts: 4, hotplug: false, acs: 0x5f, pasid: false}],
				ecamBelow4Gb: true,
			},
		},
	],
	[
		'--device a.ts --device=b.ts,name=b,port=0x10',
		{
			devices: [...serialPorts(), {module: 'a.ts', options: {}}, {module: 'b.ts', name: 'b', options: {port: '0x10'}}],
		},
	],
	[
		'--numa size=1G,vps=[0] --numa size=0,vps=[] --numa-distance 0:1:30',
		{
			numa: {
				nodes: [
					{memory: {sizeBytes: 2 ** 30}, vps: [0]},
					{memory: {sizeBytes: 0}, vps: []},
				],
				distances: [{from: 0, to: 1, distance: 30}],
			},
		},
	],
	['--irqchip split -P', {irqchip: 'split', paused: true}],
	[
		'--guest-reset-action halt --guest-shutdown-action exit:5 --guest-crash-action reset',
		{guestActions: {reset: 'halt', shutdown: {exit: 5}, crash: 'reset'}},
	],
];
for (const [words, options] of accepted) {
	test(`${words} is understood`, (t) => {
		t.deepEqual(config(words).vm, vmConfig(options));
	});
}

test('the flags of the process stay apart from the machine', (t) => {
	t.deepEqual(config('--log-file l --pidfile p').process, {logLevel: 'info', logFile: 'l', pidFile: 'p'});
});

test('the environment names kernel and initrd, and flags go before it', (t) => {
	const env = {OPENVMM_LINUX_DIRECT_KERNEL: 'ek', X86_64_OPENVMM_LINUX_DIRECT_INITRD: 'ei'};
	t.deepEqual(config('', env).vm.boot, {kind: 'linux', kernel: 'ek', initrd: 'ei', commandLine: []});
	t.deepEqual(config('-k k -r i', env).vm.boot, {kind: 'linux', kernel: 'k', initrd: 'i', commandLine: []});
	t.deepEqual(config('', {OPENVMM_LINUX_DIRECT_KERNEL: ''}).vm.boot, {kind: 'embedded', commandLine: []});
	t.deepEqual(config('--flat f', env).vm.boot.kind, 'flat');
});

test('the environment sets how much is logged', (t) => {
	t.is(config('', {OPENVMM_LOG: 'DEBUG'}).process.logLevel, 'debug');
	t.is(config('--log-file l', {OPENVMM_LOG: 'error'}).process.logLevel, 'error');
	t.is(refusal('', {OPENVMM_LOG: 'loud'}).remedy, 'Give trace, debug, info, warn, error, silent');
});

const refused: [string, string, string][] = [
	['--kernal a', 'There is no flag --kernal', 'Did you mean --kernel? See openvmm --help'],
	['--proc 2', 'There is no flag --proc', 'Did you mean --processors? See openvmm --help'],
	['--uefi', 'There is no flag --uefi', 'See openvmm --help'],
	['-z', 'There is no flag -z', 'See openvmm --help'],
	['-Pz', 'There is no flag -z', 'See openvmm --help'],
];
for (const [words, message, remedy] of refused) {
	test(`${words} is refused by name`, (t) => {
		const error = refusal(words);
		t.is(error.code, 'CLI_FLAG_UNKNOWN');
		t.is(error.message, message);
		t.is(error.remedy, remedy);
	});
}

const bad: [string, VmmErrorCode][] = [
	['-k', 'CLI_VALUE_MISSING'],
	['-k -p 2', 'CLI_VALUE_MISSING'],
	['-p -1', 'CLI_VALUE_MISSING'],
	['--apic-id-offset=-1', 'CONFIG_VALUE_INVALID'],
	['--paused=yes', 'CLI_VALUE_UNEXPECTED'],
	['vmlinuz', 'CLI_ARGUMENT_UNEXPECTED'],
	['-p 2 vmlinuz', 'CLI_ARGUMENT_UNEXPECTED'],
	['-- -p', 'CLI_ARGUMENT_UNEXPECTED'],
	['docter', 'CLI_ARGUMENT_UNEXPECTED'],
	['-p 0', 'CONFIG_NUMBER_RANGE'],
	['-p 10000', 'CONFIG_NUMBER_RANGE'],
	['-p=', 'CONFIG_VALUE_INVALID'],
	['-p two', 'CONFIG_VALUE_INVALID'],
	['-p 1.5', 'CONFIG_VALUE_INVALID'],
	['--vps-per-socket 0', 'CONFIG_NUMBER_RANGE'],
	['--smt on', 'CONFIG_VALUE_INVALID'],
	['--x2apic yes', 'CONFIG_VALUE_INVALID'],
	['-m lots', 'CONFIG_VALUE_INVALID'],
	['-m size=1G,huge', 'CONFIG_KEY_UNKNOWN'],
	['-m hugepages,file=x', 'CONFIG_CONFLICT'],
	['--irqchip none', 'CONFIG_VALUE_INVALID'],
	['--com1 tty', 'CONFIG_VALUE_INVALID'],
	['--debugcon 0xe9', 'CONFIG_VALUE_INVALID'],
	['--device ,a=1', 'CONFIG_VALUE_INVALID'],
	['--device a.ts,b', 'CONFIG_VALUE_INVALID'],
	['--device a.ts,b=1,b=2', 'CONFIG_KEY_REPEATED'],
	['--debug-exit 65536', 'CONFIG_NUMBER_RANGE'],
	['--virtio-blk disk.vmdk', 'CONFIG_VALUE_INVALID'],
	['--virtio-blk sql:disk.img', 'CONFIG_VALUE_INVALID'],
	['--virtio-blk file:', 'CONFIG_PATH_EMPTY'],
	['--virtio-blk ,ro', 'CONFIG_PATH_EMPTY'],
	['--virtio-blk disk.img;sync', 'CONFIG_KEY_UNKNOWN'],
	['--virtio-blk disk.img;direct;direct', 'CONFIG_KEY_REPEATED'],
	['--virtio-blk disk.img;direct=off', 'CONFIG_VALUE_INVALID'],
	['--virtio-blk disk.img;create=1000', 'CONFIG_VALUE_INVALID'],
	['--virtio-blk disk.img;create=', 'CONFIG_VALUE_INVALID'],
	['--virtio-blk disk.img;engine=aio', 'CONFIG_VALUE_INVALID'],
	['--virtio-blk disk.img;format=vmdk', 'CONFIG_VALUE_INVALID'],
	['--virtio-blk disk.img,serial=', 'CONFIG_VALUE_INVALID'],
	['--virtio-blk mem:', 'CONFIG_VALUE_INVALID'],
	['--virtio-blk mem:0', 'CONFIG_VALUE_INVALID'],
	['--virtio-blk mem:1000', 'CONFIG_VALUE_INVALID'],
	['--virtio-blk mem:5G', 'CONFIG_VALUE_INVALID'],
	['--virtio-blk mem:1M,', 'CONFIG_KEY_UNKNOWN'],
	['--virtio-blk mem:1M,rw', 'CONFIG_KEY_UNKNOWN'],
	['--virtio-blk mem:1M,ro,ro', 'CONFIG_KEY_REPEATED'],
	['--virtio-blk mem:1M,ro=maybe', 'CONFIG_VALUE_INVALID'],
	['--virtio-blk mem:1M,pcie_port=', 'CONFIG_VALUE_INVALID'],
	['--virtio-blk mem:1M,num_queues=0', 'CONFIG_NUMBER_RANGE'],
	['--virtio-blk mem:1M,num_queues=17', 'CONFIG_NUMBER_RANGE'],
	['--virtio-blk mem:1M,num_queues=2,workers=0', 'CONFIG_NUMBER_RANGE'],
	['--virtio-blk mem:1M,num_queues=2,workers=3', 'CONFIG_NUMBER_RANGE'],
	['--virtio-blk mem:1M,num_queues=16,workers=9', 'CONFIG_NUMBER_RANGE'],
	['--virtio-blk mem:1M,num_queues=65536', 'CONFIG_NUMBER_RANGE'],
	['--virtio-blk mem:1M,num_queues=all', 'CONFIG_VALUE_INVALID'],
	['--virtio-blk mem:1M,num_queues=1,num_queues=2', 'CONFIG_KEY_REPEATED'],
	['--nvme-pci id=a', 'CONFIG_REQUIRES'],
	['--nvme-pci pcie_port=rp0', 'CONFIG_VALUE_INVALID'],
	[`--nvme-pci id=${'a'.repeat(21)},pcie_port=rp0`, 'CONFIG_VALUE_INVALID'],
	['--nvme-pci id=a,pcie_port=rp0 --nvme-pci id=a,pcie_port=rp1', 'CONFIG_VALUE_INVALID'],
	['--nvme-pci id=a,pcie_port=rp0,workers=9', 'CONFIG_NUMBER_RANGE'],
	['--disk mem:1M,on=a', 'CLI_FLAG_NEEDS'],
	['--nvme-pci id=a,pcie_port=rp0 --disk mem:1M', 'CONFIG_VALUE_INVALID'],
	['--nvme-pci id=a,pcie_port=rp0 --disk mem:1000,on=a', 'CONFIG_VALUE_INVALID'],
	['--nvme-pci id=a,pcie_port=rp0 --disk mem:1M,on=b', 'CONFIG_VALUE_INVALID'],
	['--nvme-pci id=a,pcie_port=rp0 --disk mem:1M,on=a,nsid=1025', 'CONFIG_NUMBER_RANGE'],
	['--nvme-pci id=a,pcie_port=rp0 --disk mem:1M,on=a --disk mem:1M,on=a,nsid=1', 'CONFIG_VALUE_INVALID'],
	['--nvme-pci id=a,pcie_port=rp0 --disk mem:1M,on=a,nsid=1024 --disk mem:1M,on=a', 'CONFIG_VALUE_INVALID'],
	[`--nvme-pci id=a,pcie_port=rp0 ${Array(33).fill('--disk mem:1M,on=a').join(' ')}`, 'CONFIG_VALUE_INVALID'],
	['--nvme-pci id=a,pcie_port=rp0 --disk mem:1M,on=a,lun=1', 'CONFIG_VALUE_INVALID'],
	['--nvme-pci id=a,pcie_port=rp0 --disk mem:1M,on=a,dvd', 'CONFIG_VALUE_INVALID'],
	['--nvme-pci id=a,pcie_port=rp0 --virtio-scsi id=a', 'CONFIG_VALUE_INVALID'],
	['--virtio-scsi pcie_port=rp0', 'CONFIG_VALUE_INVALID'],
	[`--virtio-scsi id=${'a'.repeat(21)}`, 'CONFIG_VALUE_INVALID'],
	['--virtio-scsi id=a,num_queues=17', 'CONFIG_NUMBER_RANGE'],
	['--virtio-scsi id=a,num_queues=2,workers=3', 'CONFIG_NUMBER_RANGE'],
	['--virtio-scsi id=a --disk mem:1M,on=b', 'CONFIG_VALUE_INVALID'],
	['--virtio-scsi id=a --disk mem:1M,on=a,nsid=1', 'CONFIG_VALUE_INVALID'],
	['--virtio-scsi id=a --disk mem:1M,on=a,lun=256', 'CONFIG_NUMBER_RANGE'],
	['--virtio-scsi id=a --disk mem:1M,on=a --disk mem:1M,on=a,lun=0', 'CONFIG_VALUE_INVALID'],
	['--virtio-scsi id=a --disk mem:1M,on=a,lun=255 --disk mem:1M,on=a', 'CONFIG_VALUE_INVALID'],
	['--virtio-scsi id=a --disk a.iso;create=1M,on=a,dvd', 'CONFIG_VALUE_INVALID'],
	[`--virtio-scsi id=a ${Array(33).fill('--disk mem:1M,on=a').join(' ')}`, 'CONFIG_VALUE_INVALID'],
	[Array.from({length: 17}, (_, index) => `--virtio-scsi id=a${index}`).join(' '), 'CONFIG_VALUE_INVALID'],
	[Array(17).fill('--virtio-blk mem:1M').join(' '), 'CONFIG_VALUE_INVALID'],
	['--virtio-rng=yes', 'CLI_VALUE_UNEXPECTED'],
	['--virtio-rng --virtio-rng-bus vpci', 'CONFIG_VALUE_INVALID'],
	['--virtio-rng --virtio-rng-bus pci', 'CONFIG_REQUIRES'],
	['--virtio-rng-bus mmio', 'CLI_FLAG_NEEDS'],
	['--virtio-rng-pcie-port rp0', 'CLI_FLAG_NEEDS'],
	['--guest-crash-action die', 'CONFIG_VALUE_INVALID'],
	['-r initrd', 'CLI_FLAG_NEEDS'],
	['--guest-watchdog-action halt', 'CLI_FLAG_NEEDS'],
	['--numa size=1G -m 1G', 'CLI_FLAGS_CONFLICT'],
	['--numa-distance 0:1:20', 'CLI_FLAG_NEEDS'],
	['--pcie-generic-initiator port=rp0,node=0', 'CLI_FLAG_NEEDS'],
	['--flat a -k b', 'CLI_FLAGS_CONFLICT'],
	['--flat a -c b', 'CLI_FLAGS_CONFLICT'],
];
for (const [words, code] of bad) {
	test(`${words} is refused as ${code}`, (t) => {
		const error = refusal(words);
		t.is(error.code, code);
		t.truthy(error.remedy);
	});
}

test('a mistyped command is recognised', (t) => {
	t.is(refusal('docter').remedy, 'Did you mean doctor? See openvmm --help');
});

test('help and version win over what else is there only as flags', (t) => {
	const line = parseCommandLine(['--help', '-p', 'x']);
	t.true(line.command === 'boot' && line.flags.has('help'));
});

test('a command has flags of its own', (t) => {
	const line = parseCommandLine(['doctor', '--json']);
	t.true(line.command === 'doctor' && line.flags.has('json'));
	t.like(parseCommandLine(['check-device', 'own.ts,port=5', '--json']), {words: ['own.ts,port=5']});
	t.is(parseCommandLine(['help']).command, 'help');
	t.throws(() => parseCommandLine(['doctor', '--jsom']), {message: 'There is no flag --jsom'});
	t.throws(() => parseCommandLine(['doctor', '-p', '2']), {message: 'There is no flag -p'});
	t.throws(() => parseCommandLine(['doctor', 'x']), {message: 'Unexpected argument "x"'});
});

/** Gives the request that a command sends to a running machine, and the choice of the machine. */
function asked(words: string) {
	const line = parseCommandLine(words.split(' '));
	if (line.command !== 'ask') throw new Error(`Not an operation: ${line.command}`);
	const {machine, words: left} = chooseMachine(line, 'help');
	const {operation, given: params} = readLine(line.operation, {flags: line.flags, words: left}, 'help');
	return {method: operation.name, params, machine, json: line.flags.has('json')};
}

test('inspect takes a path and flags in any order', (t) => {
	t.deepEqual(asked('inspect db'), {method: 'inspect', params: {}, json: false, machine: {name: 'db'}});
	t.like(asked('inspect db -r vm/vcpus --json'), {params: {path: 'vm/vcpus', recursive: true}, json: true});
	t.deepEqual(asked('inspect db vm -rl 3 --safe').params, {path: 'vm', recursive: true, depth: 3, safe: true});
	t.like(asked('inspect log/level -u debug --socket /s'), {
		method: 'update',
		params: {path: 'log/level', value: 'debug'},
		machine: {socket: '/s'},
	});
	t.deepEqual(asked('inspect db log/level --timeout 5 -u debug').params, {
		path: 'log/level',
		value: 'debug',
		timeoutMs: 5,
	});
	for (const flag of ['-r', '-l 2', '--safe'])
		t.throws(() => asked(`inspect db log/level ${flag} -u debug`), {
			code: 'CLI_FLAGS_CONFLICT',
			message: /with --update$/,
		});
	t.throws(() => asked('inspect'), {code: 'CLI_ARGUMENT_MISSING', message: /^NAME/});
	t.throws(() => asked('inspect db vm log'), {code: 'CLI_ARGUMENT_TOO_MANY'});
	t.throws(() => asked('inspect --socket /s vm log'), {code: 'CLI_ARGUMENT_TOO_MANY', message: /log/});
	t.throws(() => asked('inspect db -l many'), {code: 'CONFIG_VALUE_INVALID'});
	t.throws(() => asked('inspect db -l 65'), {code: 'CONFIG_NUMBER_RANGE'});
	t.throws(() => asked('inspect db -u 5'), {code: 'CLI_FLAG_NEEDS', message: /--update needs PATH/});
});

test('a path on the command line is one of the folder that openvmm is called in', (t) => {
	t.deepEqual(asked('dump-core db a/core').params, {path: join(process.cwd(), 'a/core')});
	const params = {port: 'rp0', device: `${join(process.cwd(), 'x.ts')},size=1:2`};
	t.deepEqual(asked('pcie-add db rp0 x.ts,size=1:2').params, params);
	t.like(asked('pcie-add db rp0 virtio-blk,disk=a.img;direct,name=d,readOnly=on').params, {
		port: 'rp0',
		device: {
			kind: 'virtio-blk',
			name: 'd',
			options: {disk: {kind: 'file', path: join(process.cwd(), 'a.img'), direct: true}, readOnly: true, queues: 1},
		},
	});
	t.deepEqual(asked('disk-add db n0 a.qcow2,nsid=3,ro,iops=5').params, {
		controller: 'n0',
		disk: {
			disk: {kind: 'file', format: 'qcow2', path: join(process.cwd(), 'a.qcow2')},
			number: 3,
			readOnly: true,
			policy: {limits: {iops: 5}},
		},
	});
	t.deepEqual(asked('disk-add db n0 a.img').params, {
		controller: 'n0',
		disk: {disk: {kind: 'file', path: join(process.cwd(), 'a.img')}, readOnly: false},
	});
	t.throws(() => asked('disk-add db n0 a.img,on=n0'), {code: 'CONFIG_KEY_UNKNOWN'});
	t.throws(() => asked('disk-add db n0 a.img,nsid=0'), {code: 'CONFIG_NUMBER_RANGE'});
	t.like(asked('pcie-add db rp0 nvme,serial=n0,namespaces=1:a.img+7:mem:1M').params, {
		device: {
			kind: 'nvme',
			options: {
				namespaces: [
					{nsid: 1, disk: {path: join(process.cwd(), 'a.img')}},
					{nsid: 7, disk: {kind: 'memory'}},
				],
			},
		},
	});
	const here = (name: string) => join(process.cwd(), name);
	const layers: readonly [written: string, disk: object][] = [
		['crypt:xts-aes-256:key:a.img', {keyFile: here('key'), disk: {path: here('a.img')}}],
		['a.qcow2;backing-folder=b', {path: here('a.qcow2'), backingFolders: [here('b')]}],
		['memdiff:blob;cache=c:flat:http://x/y', {disk: {cache: here('c'), url: 'http://x/y'}}],
		['memdiff:blob;cache=off:flat:http://x/y', {disk: {cache: false}}],
	];
	for (const [written, disk] of layers)
		t.like(asked(`pcie-add db rp0 virtio-blk,disk=${written}`).params, {device: {options: {disk}}}, written);
	t.throws(() => asked('pcie-add db rp0 virtio-blk,disks=a.img'), {code: 'CONFIG_VALUE_MISSING'});
	t.throws(() => asked('pcie-add db rp0'), {code: 'CLI_ARGUMENT_MISSING', message: /^DEVICE/});
	t.throws(() => asked('save-snapshot db'), {code: 'CLI_ARGUMENT_MISSING', message: /^DIR/});
	t.throws(() => asked('pcie-remove db a b'), {code: 'CLI_ARGUMENT_TOO_MANY'});
});

test('what only the socket has is no command', (t) => {
	t.is(refusal('update').code, 'CLI_ARGUMENT_UNEXPECTED');
});

/** What a line with a command for a guest means. */
function guestLine(...words: string[]) {
	const line = parseCommandLine(words);
	if (line.command !== 'run' && line.command !== 'exec') throw new Error(line.command);
	return {words: line.words, flags: [...line.flags.all('env'), ...(line.flags.has('tty') ? ['tty'] : [])]};
}

test('flags end at the image or the machine: what is behind it is for the guest', (t) => {
	t.deepEqual(guestLine('run', '-it', '-e', 'A=1', 'debian:12', 'ls', '-e', 'B', '--tty'), {
		words: ['debian:12', 'ls', '-e', 'B', '--tty'],
		flags: ['A=1', 'tty'],
	});
	t.deepEqual(guestLine('run', 'image', '--', 'ls', '--', '-l').words, ['image', 'ls', '--', '-l']);
	t.deepEqual(guestLine('run', '-e', 'A=1', '--', 'ls', '-l'), {words: ['', 'ls', '-l'], flags: ['A=1']});
	t.deepEqual(guestLine('run').words, []);
	t.deepEqual(guestLine('exec', 'web', 'sh', '-c', 'exit 3').words, ['web', 'sh', '-c', 'exit 3']);
	t.throws(() => parseCommandLine(['exec', '-x', 'web', 'ls']), {code: 'CLI_FLAG_UNKNOWN'});
	t.throws(() => parseCommandLine(['run', '--volum', '/a:/b', 'x']), {code: 'CLI_FLAG_UNKNOWN', message: /--volum/});
});

test('of names there may be any number', (t) => {
	const line = parseCommandLine(['stop', 'a', 'b', '-t', '3', 'c']);
	t.like(line, {command: 'stop', words: ['a', 'b', 'c']});
	t.throws(() => parseCommandLine(['logs', 'a', 'b']), {code: 'CLI_ARGUMENT_TOO_MANY'});
});
