import test from 'ava';
import {flagsOfClone} from './clones.ts';
import {type Flag, type FlagName, flags} from './flags.ts';
import {parseCommandLine, parseFlags} from './parse.ts';
import {hostWord, shapeFlags, shapeWords, withShape} from './shape-words.ts';
import {toConfig} from './to-config.ts';

const words = (line: string) => {
	const flags = parseFlags(line.split(' '));
	return shapeWords(flags, toConfig(flags, {}).vm);
};

test('a snapshot carries what shapes the machine and nothing of the host', (t) => {
	t.deepEqual(
		words(
			'-k /boot/vmlinuz --no-default-cmdline -c ro -p 4 -m size=2G,file=/tmp/ram --irqchip split --com1 file=/tmp/out --log-file /tmp/log',
		),
		['--cmdline=ro', '--no-default-cmdline', '--processors=4', '--irqchip=split', '--memory=2097152K'],
	);
});

test('the words give the same machine again', (t) => {
	const first = toConfig(parseFlags('-p 8 --vps-per-socket 4 -m 96M --debug-exit 0xf4'.split(' ')), {}).vm;
	const again = toConfig(parseFlags(words('-p 8 --vps-per-socket 4 -m 96M --debug-exit 0xf4')), {}).vm;
	t.deepEqual(again, first);
});

test('NUMA nodes keep their size and processors, and nothing of the host', (t) => {
	const line =
		'--numa size=1G,vps=[0-1],host_numa_node=0,thp=off --numa size=0,vps=[] -p 2 --numa-distance 0:1:30 ' +
		'--pcie-root-complex rc0,node=1 --pcie-root-port rc0:rp0 --pcie-generic-initiator port=rp0,node=1';
	t.deepEqual(words(line), [
		'--processors=2',
		'--numa-distance=0:1:30',
		'--pcie-root-complex=rc0,node=1',
		'--pcie-root-port=rc0:rp0',
		'--pcie-generic-initiator=port=rp0,node=1',
		'--numa=size=1048576K,vps=[0,1]',
		'--numa=size=0K,vps=[]',
	]);
	t.deepEqual(words(words(line).join(' ')), words(line));
	t.is(hostWord(parseFlags(words(line))), undefined);
});

test('a snapshot`s words that ask the host for something are found', (t) => {
	t.is(hostWord(parseFlags(['--memory=1024K'])), undefined);
	for (const word of [
		'--memory=size=1G,file=/etc/passwd',
		'--numa=size=1024K,host_numa_node=1',
		'--numa=size=1024K,prefetch',
	])
		t.is(hostWord(parseFlags(['--numa=size=64K', word])), word);
});

test('what is given again replaces what the snapshot brings', (t) => {
	const merged = withShape(
		parseFlags(['-p', '2', '--com1', 'none']),
		parseFlags(['--processors=4', '--irqchip=split']),
	);
	t.is(merged.last('processors'), '2');
	t.is(merged.last('irqchip'), 'split');
	t.is(merged.last('com1'), 'none');
	t.false(merged.has('kernel'));
});

test('no flag that a snapshot carries can name a file', (t) => {
	const carried: readonly Flag[] = shapeFlags;
	for (const {name, value} of carried.filter(({shape}) => shape === true))
		t.notRegex(`${name} ${value}`, /FILE|PATH|DIR|SERIAL/);
	const hostParts = {
		memory: ['size=1G', '1024K,file=/x', '1024K,prefetch'],
		numa: ['size=1024K,host_numa_node=1'],
		com1: ['stderr', 'console', 'file=/x', 'none,file=/x'],
		debugcon: ['0xe9,stderr', '0xe9,file=/x', '0xe9,none,file=/x'],
	};
	const names = carried.filter(({shape}) => shape === 'reduced').map(({name}) => name);
	t.deepEqual(Object.keys(hostParts).sort(), names.sort());
	for (const [name, values] of Object.entries(hostParts))
		for (const value of values) t.is(hostWord(parseFlags([`--${name}=${value}`])), `--${name}=${value}`);
});

type Carried = Extract<(typeof flags)[number], {readonly shape: unknown}>['name'];
/** What a snapshot does not carry, and why: a new flag is in this list, or has `shape`. */
const notCarried = {
	kernel: 'a file; what a reset starts',
	initrd: 'a file',
	flat: 'a file',
	paused: 'when the owner lets it run',
	gdb: 'who looks at it',
	'restore-snapshot': 'the snapshot itself',
	clones: 'how many machines',
	'verify-snapshot': 'the snapshot itself',
	com2: 'where the bytes go',
	com3: 'where the bytes go',
	com4: 'where the bytes go',
	device: 'a module is a program: given again, and its device is compared',
	hypervisor: 'what the host has; the manifest says what the guest needs of it',
	'guest-reset-action': 'what the host does then',
	'guest-shutdown-action': 'what the host does then',
	'guest-crash-action': 'what the host does then',
	'guest-watchdog-action': 'what the host does then',
	'guest-halt-action': 'what the host does then',
	'guest-reset-limit': 'when the host has had enough',
	clock: 'what the owner wants of each restore',
	'crash-dump-path': 'a file',
	'log-file': 'a file',
	pidfile: 'a file',
	name: 'of the process',
	'control-socket': 'a file',
	help: 'no machine',
	version: 'no machine',
} satisfies Record<Exclude<FlagName, Carried>, string>;

test('every flag is carried by snapshots or has a reason not to be', (t) => {
	const carried = shapeFlags.map(({name}) => name);
	t.deepEqual([...carried, ...Object.keys(notCarried)].sort(), flags.map(({name}) => name).sort());
});

test('devices that a flag adds and ports of the machine come back, but not what they are bound to', (t) => {
	const line = '--hpet --battery --guest-watchdog --debugcon 0xe9,file=/tmp/x --com1 none';
	t.deepEqual(words(line), [
		'--hpet',
		'--guest-watchdog',
		'--battery',
		'--memory=1048576K',
		'--com1=none',
		'--debugcon=0xe9,none',
	]);
	const again = toConfig(parseFlags(words(line)), {}).vm;
	t.like(again, {hpet: true, battery: true, guestWatchdog: true, serial: {com1: {kind: 'none'}}});
	t.deepEqual(again.debugcon, {port: 0xe9, backend: {kind: 'none'}});
	t.deepEqual(words('--com1 none --com2 file=/tmp/x'), ['--memory=1048576K'], 'ports are there when one is bound');
});

test('clones are told apart by their number, and their COM1 goes nowhere unless it is said', (t) => {
	const flags = parseFlags(['--com2', 'file=/tmp/%n.log', '--pidfile', '/run/%n/%n']);
	const clone = flagsOfClone(flags, 7);
	t.is(clone.last('com1'), 'file=/dev/null');
	t.is(clone.last('com2'), 'file=/tmp/7.log');
	t.is(clone.last('pidfile'), '/run/7/7');
	t.is(flagsOfClone(parseFlags(['--com1', 'file=x%n']), 0).last('com1'), 'file=x0');
	const portless = parseFlags(['--com1=none']);
	t.is(
		withShape(flagsOfClone(parseFlags([]), 0, portless), portless).last('com1'),
		'none',
		'of a machine without ports',
	);
});

test('restore is --restore-snapshot', (t) => {
	const line = parseCommandLine(['restore', 'some/folder', '--clones', '3']);
	t.is(line.command, 'run');
	t.is(line.command === 'run' ? line.flags.last('restore-snapshot') : '', 'some/folder');
	t.throws(() => parseCommandLine(['restore', '--clones', '3']), {code: 'CLI_VALUE_MISSING', message: /restore/});
});
