import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {ControlClient, serveControl} from '#main/control';
import {checkParams, integer, type Machine, machineOperations, operation, word} from '#main/operations';
import {commands} from './commands.ts';
import {complete} from './completion.ts';
import {consoleCommands, runConsoleLine} from './console-line.ts';
import {helpText} from './help.ts';
import {operationsPage} from './operations-page.ts';
import {program} from './program.ts';
import {referencePage} from './reference-page.ts';

const directory = mkdtempSync(join(tmpdir(), 'openvmm-operations-'));
test.after.always(() => rmSync(directory, {recursive: true}));
// Servers and clients do not keep the process; a machine's threads would.
const alive = setInterval(() => {}, 1000);
test.after.always(() => clearInterval(alive));

/** The machine of these tests, which notes what its new operation is asked. */
function stage() {
	const calls: [string, number][] = [];
	const tap = operation({
		name: 'tap-key',
		letter: 't',
		help: 'press a key of the guest',
		params: {
			key: {kind: word, placeholder: 'KEY', help: 'which one'},
			times: {kind: integer(1, 9), flag: 'times', short: 'n', placeholder: 'COUNT', optional: true, help: 'how often'},
		},
		result: '`taps` of all keys so far',
		async run({state}, {key, times = 1}) {
			calls.push([`${key} while ${state}`, times]);
			return {taps: calls.reduce((sum, [, more]) => sum + more, 0)};
		},
		print: ({taps}) => `${taps}`,
		say: ({taps}, {key}) => `${key} is tapped, ${taps} taps in all`,
		json: (result) => result,
	});
	const machine = {state: 'running'} as Machine;
	return {calls, machine, operations: [...machineOperations, tap]};
}

test('an operation that is added to the table is in the console', async (t) => {
	const {calls, machine, operations} = stage();
	const list = consoleCommands(operations);
	const said: string[] = [];
	for (const line of ['help', 'tap-key enter', 't -n 3 up', 'tap-key', 'tap-key enter --times 10', 't x --json'])
		await runConsoleLine(line, machine, {say: (text) => void said.push(text)}, list);
	t.true(said.includes('tap-key, t KEY [-n COUNT] [--json] press a key of the guest'));
	t.deepEqual(said.slice(-5), [
		'enter is tapped, 1 taps in all',
		'up is tapped, 4 taps in all',
		'Usage: tap-key KEY [-n COUNT] [--json]',
		'--times 10 is out of range. Give a whole number from 1 to 9',
		'{\n  "taps": 5\n}',
	]);
	t.deepEqual(calls.slice(0, 2), [
		['enter while running', 1],
		['up while running', 3],
	]);
	t.deepEqual(await complete('tap', list, machine), [['tap-key'], 'tap']);
});

test('it is on the socket and on the command line', async (t) => {
	const {calls, machine, operations} = stage();
	const path = join(directory, 'socket');
	const server = await serveControl(machine, {path}, operations);
	t.teardown(() => server.close());
	const client = await ControlClient.connect(path);
	t.teardown(() => client.close());
	t.true(client.hello.methods.includes('tap-key'));
	t.deepEqual(await client.call('tap-key', {key: 'enter'}), {taps: 1});
	for (const params of [{}, {key: 1}, {key: 'x'.repeat(4097)}, {key: 'x', times: 0}, {key: 'x', times: '2'}])
		await t.throwsAsync(client.call('tap-key', params), {code: 'CONTROL_PARAM_INVALID'});
	t.is(await program(['tap-key', 'up', '-n', '2', '--socket', path], {}, undefined, operations), 0);
	t.is(await program(['tap-key', '--socket', path], {}, undefined, operations), 2);
	t.deepEqual(calls, [
		['enter while running', 1],
		['up while running', 2],
	]);
});

test('it is in the help and on the pages of the guide', (t) => {
	const {operations} = stage();
	t.regex(helpText(operations), /^ +openvmm tap-key NAME KEY +press a key of the guest$/m);
	t.regex(referencePage(operations), /### `openvmm tap-key`\n\n- `-n, --times COUNT`: how often\n/);
	const page = operationsPage(operations);
	t.regex(page, /## tap-key\n\nPress a key of the guest\.\n/);
	for (const shown of [
		'`tap-key, t KEY [-n COUNT] [--json]`: in the console',
		'`{"id": 1, "method": "tap-key", "params": {"key": …}}`: over the socket',
		'`times`: how often; on a line `--times`; an integer from 1 to 9, or absent',
		'Answer: `taps` of all keys so far.',
	])
		t.true(page.includes(shown), shown);
});

test('no two operations share a name or a letter, nor one with what the console and openvmm have of their own', (t) => {
	const names = consoleCommands().flatMap((command) => command.names);
	t.deepEqual(names, [...new Set(names)]);
	const onLine = machineOperations.filter(({socketOnly}) => !socketOnly).length;
	t.is(commands().size, onLine + commands([]).size);
});

test('every parameter that takes a value says what stands for it', (t) => {
	for (const {name, params} of machineOperations)
		for (const [key, {kind, placeholder, flag}] of Object.entries(params))
			t.is(placeholder === undefined, kind.expected === 'true or false' && flag !== undefined, `${name} ${key}`);
});

test('a parameter called as a member of every object is none', (t) => {
	const given = JSON.parse('{"__proto__": {"path": "vm"}}');
	t.throws(() => checkParams('inspect', {}, given), {code: 'CONTROL_PARAM_UNKNOWN'});
	t.throws(() => checkParams('inspect', {}, {toString: 1}), {code: 'CONTROL_PARAM_UNKNOWN'});
});
