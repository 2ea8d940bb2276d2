import {readFileSync} from 'node:fs';
import test from 'ava';
import {inspect} from '#main/operations';
import {commands, operationCommand, ownCommands} from './commands.ts';
import {exitStatuses, statusOfError} from './exit-status.ts';
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

const statuses: [string, number][] = [
	['CLI_FLAG_UNKNOWN', 2],
	['CONFIG_MEMORY_ZERO', 2],
	['CONFIG_HOST_MEMORY_SHORT', 7],
	['TOPOLOGY_PROCESSOR_COUNT', 2],
	['MEMORY_SIZE_INVALID', 2],
	['MEMORY_TOO_SMALL', 7],
	['INITRD_TOO_LARGE', 7],
	['KERNEL_TRUNCATED', 6],
	['COMMAND_LINE_TOO_LONG', 6],
	['INSPECT_PATH_NOT_FOUND', 2],
	['CONTROL_SOCKET_TAKEN', 2],
	['CONTROL_NO_MACHINE', 9],
	['KVM_MISSING', 4],
	['KVM_PERMISSION', 5],
	['KVM_IOCTL_FAILED', 1],
	['CLI_INTERNAL', 1],
];
for (const [code, status] of statuses) {
	test(`${code} ends with status ${status}`, (t) => {
		t.is(statusOfError(code), status);
	});
}
