import test from 'ava';
import type {Flag} from './flags.ts';
import {parseFlags} from './parse.ts';
import {shapeFlags, shapeWords, withShape} from './shape-words.ts';
import {toConfig} from './to-config.ts';

const words = (line: string) => {
	const flags = parseFlags(line.split(' '));
	return shapeWords(flags, toConfig(flags, {}).vm);
};

test('a snapshot carries what shapes the machine and nothing of the host', (t) => {
	t.deepEqual(
		words('-k /boot/vmlinuz -p 4 -m size=2G,file=/tmp/ram --irqchip split --com1 file=/tmp/out --log-file /tmp/log'),
		['--processors=4', '--irqchip=split', '--memory=2097152K'],
	);
});

test('the words give the same machine again', (t) => {
	const first = toConfig(parseFlags('-p 8 --vps-per-socket 4 -m 96M --debug-exit 0xf4'.split(' ')), {}).vm;
	const again = toConfig(parseFlags(words('-p 8 --vps-per-socket 4 -m 96M --debug-exit 0xf4')), {}).vm;
	t.deepEqual(again, first);
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
