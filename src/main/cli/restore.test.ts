import test from 'ava';
import {type VmOptions, vmConfig} from '#main/config';
import {flagsOfClone} from './clones.ts';
import {parseCommandLine, parseFlags} from './parse.ts';
import {checkNeeds, type Saved, toOptions} from './to-config.ts';

/** Gives the options of such a command line for a machine that goes on from a snapshot with these devices. */
function given(line: string, names: readonly string[], boot: Saved['boot'] = {kind: 'embedded'}): VmOptions {
	const flags = parseFlags(line === '' ? [] : line.split(' '));
	return toOptions(flags, {}, {boot, hasDevice: (name) => names.includes(name)}).vm;
}

const ports = ['com1', 'com2', 'com3', 'com4'];
const bindings = ({devices = []}: VmOptions) =>
	devices.map(({name, options = {}}) => [name, (options['backend'] as {kind: string}).kind]);

test('a command line says nothing of what the snapshot brings', (t) => {
	t.deepEqual(given('', []), {
		processors: {},
		boot: {kind: 'embedded', commandLine: []},
		devices: [],
		guestActions: {},
		paused: false,
	} as VmOptions);
	t.like(given('-p 3 -m 1G', []), {processors: {count: 3}, memory: {sizeBytes: 2 ** 30}});
});

test('COM1 is the console where the snapshot has one, and ports that are asked for are asked for', (t) => {
	t.deepEqual(bindings(given('', ports)), [
		['com1', 'console'],
		['com2', 'none'],
		['com3', 'none'],
		['com4', 'none'],
	]);
	t.deepEqual(bindings(given('--com1 none --com2 file=x', ports))[1], ['com2', 'file']);
	t.deepEqual(given('--com1 none', ports).devices, []);
	t.is(given('--com2 file=x', []).devices?.length, 4, 'whose ports are then compared');
});

test('words for a kernel are the snapshot`s unless they are given, and a kernel is named again', (t) => {
	const saved = {kind: 'linux', commandLine: ['ro'], isBare: true} as const;
	t.is(given('', [], saved).boot, undefined);
	t.deepEqual(given('-k k', [], saved).boot, {kind: 'linux', kernel: 'k', commandLine: ['ro'], defaultWords: false});
	t.like(given('-k k -c rw', [], saved).boot, {commandLine: ['rw']});
	t.deepEqual(given('', [], {kind: 'embedded', commandLine: ['loop']}).boot, {kind: 'embedded', commandLine: ['loop']});
	t.is(given('', [], {kind: 'flat'}).boot, undefined);
});

test('what a flag needs may come from the snapshot', (t) => {
	const flags = parseFlags(['--guest-watchdog-action', 'halt']);
	t.throws(() => checkNeeds(flags, vmConfig()), {code: 'CLI_FLAG_NEEDS'});
	t.notThrows(() => checkNeeds(flags, vmConfig({devices: [{kind: 'guest-watchdog', name: 'dog'}]})));
});

test('clones are told apart by their number, and their COM1 goes nowhere unless it is said', (t) => {
	const flags = parseFlags(['--com2', 'file=/tmp/%n.log', '--pidfile', '/run/%n/%n']);
	const clone = flagsOfClone(flags, 7, true);
	t.is(clone.last('com1'), 'file=/dev/null');
	t.is(clone.last('com2'), 'file=/tmp/7.log');
	t.is(clone.last('pidfile'), '/run/7/7');
	t.is(flagsOfClone(parseFlags(['--com1', 'file=x%n']), 0, true).last('com1'), 'file=x0');
	t.is(flagsOfClone(parseFlags([]), 0, false).last('com1'), undefined, 'of a machine without ports');
});

test('restore is --restore-snapshot', (t) => {
	const line = parseCommandLine(['restore', 'some/folder', '--clones', '3']);
	t.is(line.command, 'boot');
	t.is(line.command === 'boot' ? line.flags.last('restore-snapshot') : '', 'some/folder');
	t.throws(() => parseCommandLine(['restore', '--clones', '3']), {code: 'CLI_VALUE_MISSING', message: /restore/});
});
