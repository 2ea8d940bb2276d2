import test from 'ava';
import {
	completeOptions,
	explainOptions,
	guestOptions,
	hostProblems,
	isOptionTable,
	linuxPaths,
	parseNumber,
	readOptions,
} from './index.ts';

test('numbers are decimal or hexadecimal and bounded', (t) => {
	t.is(parseNumber('0xF4', '--debug-exit', 0, 0xffff), 0xf4);
	t.is(parseNumber('12', '--debug-exit', 0, 0xffff), 12);
	const refused = (text: string, min: number, max: number, code: string) =>
		t.throws(() => parseNumber(text, '--p', min, max), {code});
	refused('65536', 0, 0xffff, 'CONFIG_NUMBER_RANGE');
	refused('99999999999999999999', 1, 1024, 'CONFIG_NUMBER_RANGE');
	refused('1e2', 1, 1024, 'CONFIG_VALUE_INVALID');
	refused('', 1, 1024, 'CONFIG_VALUE_INVALID');
});

const table = {
	port: {type: 'number', min: 0, max: 0xffff, help: 'the first port'},
	speed: {type: 'choice', choices: ['slow', 'fast'], default: 'slow', help: 'how fast'},
	loud: {type: 'flag', optional: true, help: 'whether it is heard'},
	label: {type: 'text', default: 'none', help: 'what it says'},
	log: {type: 'path', use: 'stream', host: true, optional: true, help: 'where it writes'},
} as const;

test('options are values or the words of a command line, and come out the same', (t) => {
	const expected = {port: 0x500, speed: 'fast', loud: true, label: 'on', log: '/x'} as const;
	t.deepEqual(
		completeOptions(table, {port: '0x500', speed: 'fast', loud: 'on', label: 'on', log: '/x'}, 'it'),
		expected,
	);
	t.deepEqual(completeOptions(table, {log: '/x', label: 'on', loud: true, speed: 'fast', port: 0x500}, 'it'), expected);
	t.is(
		JSON.stringify(completeOptions(table, {loud: false, port: 5}, 'it')),
		'{"port":5,"speed":"slow","loud":false,"label":"none"}',
	);
});

test('everything that is wrong is listed by name, and the rest is read', (t) => {
	const {values, problems} = readOptions(
		table,
		{port: 0x1_0000, speed: 'quick', loud: 1, lable: 'x', toString: 'x'},
		'it',
	);
	t.deepEqual(values, {label: 'none'});
	t.deepEqual(
		problems.map(({code, message}) => [code, message]),
		[
			['CONFIG_NUMBER_RANGE', 'it port 65536 is out of range'],
			['CONFIG_VALUE_INVALID', 'it speed "quick" is not valid'],
			['CONFIG_VALUE_INVALID', 'it loud "1" is not valid'],
			['CONFIG_KEY_UNKNOWN', 'it has no key "lable"'],
			['CONFIG_KEY_UNKNOWN', 'it has no key "toString"'],
		],
	);
	t.throws(() => completeOptions(table, {}, 'it'), {code: 'CONFIG_VALUE_MISSING', message: /it port is missing/});
	for (const port of [null, [], {}, Number.NaN, 1.5, -1, 'x', '', 2n])
		t.is(readOptions(table, {port}, 'it').problems.length, 1);
});

test('what is the host`s is told apart, and held against the host', (t) => {
	const values = completeOptions(table, {port: 1, log: '/nonexistent/a/b'}, 'it');
	t.deepEqual(guestOptions(table, values), {port: 1, speed: 'slow', label: 'none'});
	t.deepEqual(
		hostProblems(table, values, 'it', linuxPaths).map(({message}) => message),
		['it log "/nonexistent/a/b" cannot be made: the directory "/nonexistent/a" does not exist'],
	);
});

test('a table says of each option how it is written and what there is to know', (t) => {
	t.deepEqual(explainOptions(table).slice(0, 3), [
		['port=NUMBER', 'the first port [0x0 to 0xffff; has to be given]'],
		['speed=slow|fast', 'how fast [default slow]'],
		['loud=on|off', 'whether it is heard'],
	]);
});

test('a table of a module in JavaScript is looked at before it is used', (t) => {
	t.true(isOptionTable(table));
	t.true(isOptionTable({x: {help: '', type: {placeholder: 'X', parse() {}, check() {}}}}));
	for (const option of [5, null, {}, {help: 'x'}, {help: 'x', type: 'number'}, {help: 'x', type: {}}, {type: 'flag'}])
		t.false(isOptionTable({option}));
});
