import {readdirSync, readFileSync, writeFileSync} from 'node:fs';
import test from 'ava';
import {inspect} from '#main/operations';
import {commands, operationCommand, ownCommands} from './commands.ts';
import {cpuPage} from './cpu-page.ts';
import {devicesPage} from './devices-page.ts';
import {type ExitStatus, exitStatuses, matchesOf, statusOfError} from './exit-status.ts';
import {type Flag, flags} from './flags.ts';
import {commandHelpText, helpText} from './help.ts';
import {operationsPage} from './operations-page.ts';
import {referencePage} from './reference-page.ts';

test('the help fits 100 columns and lists every flag', (t) => {
	const text = helpText();
	t.deepEqual(
		text.split('\n').filter((line) => line.length > 100),
		[],
	);
	for (const {name} of flags) t.regex(text, new RegExp(`^ +(-., )?--${name}( |$)`, 'm'));
	for (const name of commands().keys()) t.regex(text, new RegExp(`^ +openvmm ${name}( |$)`, 'm'));
});

test('the help reads as reviewed', (t) => {
	t.snapshot(helpText());
	t.snapshot(commandHelpText('doctor', ownCommands.doctor));
	t.snapshot(commandHelpText('inspect', operationCommand(inspect)));
});

const pages: [string, () => string][] = [
	['cli.md', referencePage],
	['cpu.md', cpuPage],
	['devices.md', devicesPage],
	['operations.md', operationsPage],
];
for (const [file, made] of pages) {
	test(`the guide's ${file} is the one made from the tables`, (t) => {
		const page = readFileSync(new URL(`../../../guide/reference/${file}`, import.meta.url), 'utf8');
		t.is(page, made());
	});
}

const tables: [string, readonly Pick<Flag, 'name' | 'short'>[]][] = [
	['a machine', flags],
	...[...commands()].map(([name, {flags: own}]) => [name, own] as [string, typeof own]),
];
for (const [of, table] of tables) {
	test(`no two flags of ${of} share a name or a letter`, (t) => {
		const names = table.flatMap(({name, short}) => [name, ...(short === undefined ? [] : [short])]);
		t.deepEqual(names, [...new Set(names)]);
	});
}

test('no two ends share a status', (t) => {
	const all = Object.values(exitStatuses).map(({status}) => status);
	t.deepEqual(all, [...new Set(all)]);
});

/** Every code in the error tables of the sources, in order. */
function declaredCodes(): string[] {
	const sources = new URL('../../', import.meta.url);
	const files = readdirSync(sources, {recursive: true, encoding: 'utf8'}).filter((name) =>
		/(?<!\.test)\.ts$/.test(name),
	);
	const tables = files
		.map((name) => readFileSync(new URL(name, sources), 'utf8'))
		.filter((text) => text.includes('errorTable('));
	const codes = tables.flatMap((text) =>
		[...text.matchAll(/^\t([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+): \(/gm)].map(([, code = '']) => code),
	);
	return [...new Set(codes)].sort();
}

test('the type of codes has every error’s (UPDATE_CODES=1 writes them)', (t) => {
	const file = new URL('../../support/errors/error-codes.ts', import.meta.url);
	const list = declaredCodes().map((code) => `\n\t| '${code}'`);
	const written = readFileSync(file, 'utf8').replace(/(?<=type VmmErrorCode =).*(?=;\n)/s, list.join(''));
	if (process.env['UPDATE_CODES'] === '1') writeFileSync(file, written);
	t.is(readFileSync(file, 'utf8'), written);
});

test('every error has a place among the exit statuses, and every place is some error’s', (t) => {
	const codes = declaredCodes();
	t.deepEqual(
		codes.filter((code) => matchesOf(code).length === 0),
		[],
	);
	// A pattern that never decides says nothing.
	const deciding = codes
		.map(matchesOf)
		.flatMap(([first, next]) => (first && first.row !== next?.row ? [first.pattern] : []));
	const all = Object.values<ExitStatus>(exitStatuses).flatMap((row) => row.codes);
	t.deepEqual([...new Set(deciding)].sort(), [...all].sort());
});

test('the longest match counts', (t) => {
	t.is(statusOfError('CONFIG_MEMORY_ZERO'), 2);
	t.is(statusOfError('CONFIG_HOST_MEMORY_SHORT'), 7);
	t.is(statusOfError('OF_NO_TABLE'), 1);
});
