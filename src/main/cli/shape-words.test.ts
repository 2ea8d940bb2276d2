import test from 'ava';
import {flagsOfClone} from './clones.ts';
import type {Flag} from './flags.ts';
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
	for (const {name, value} of shapeFlags as readonly Flag[]) t.notRegex(`${name} ${value}`, /FILE|PATH|DIR|SERIAL/);
});

test('clones are told apart by their number, and their COM1 goes nowhere unless it is said', (t) => {
	const flags = parseFlags(['--com2', 'file=/tmp/%n.log', '--pidfile', '/run/%n/%n']);
	const clone = flagsOfClone(flags, 7);
	t.is(clone.last('com1'), 'file=/dev/null');
	t.is(clone.last('com2'), 'file=/tmp/7.log');
	t.is(clone.last('pidfile'), '/run/7/7');
	t.is(flagsOfClone(parseFlags(['--com1', 'file=x%n']), 0).last('com1'), 'file=x0');
});

test('restore is --restore-snapshot', (t) => {
	const line = parseCommandLine(['restore', 'some/folder', '--clones', '3']);
	t.is(line.command, 'run');
	t.is(line.command === 'run' ? line.flags.last('restore-snapshot') : '', 'some/folder');
	t.throws(() => parseCommandLine(['restore', '--clones', '3']), {code: 'CLI_VALUE_MISSING', message: /restore/});
});
