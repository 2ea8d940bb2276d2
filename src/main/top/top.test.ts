import test from 'ava';
import type {Column} from './columns.ts';
import {columns, topLines, WatchedMachine} from './index.ts';
import type {TopView} from './top-text.ts';

const table: readonly Column[] = [
	{title: 'M instr/s', path: 'counters/instructions', unit: 1e6},
	{title: 'exits/s', path: 'counters/exits'},
	{title: 'regions', path: 'counters/regions', isLevel: true},
	{title: 'never', path: 'counters/never'},
];

const numbers = (instructions: number, exits?: number, regions?: number) =>
	new Map([
		['counters/instructions', instructions],
		...(exits === undefined ? [] : [['counters/exits', exits] as const]),
		...(regions === undefined ? [] : [['counters/regions', regions] as const]),
	]);

const view: TopView = {
	title: 'it',
	before: [numbers(1e6, 10, 5), numbers(5e9)],
	after: [numbers(251e6, 2010, 7), numbers(1e9)],
	seconds: 2,
	hottest: [
		{name: 'schedule', part: 0.75},
		{name: 'evil\x1b[2J', part: 0.25},
	],
	waiting: 0.5,
};

test('numbers that grow are shown by the second, others as they are, and a column that nobody has not at all', (t) => {
	t.deepEqual(topLines(view, table, {rows: 50, columns: 200}), [
		'it',
		'',
		'CPU    M instr/s  exits/s  regions',
		'0            125     1000      7.0',
		'1            0.0        -        -',
		'',
		'  50.0 %  of the time they waited; of the rest:',
		'  75.0 %  schedule',
		'  25.0 %  evil?[2J',
	]);
});

test('a screen is no larger than its terminal, and many processors are some and the rest together', (t) => {
	const many = {...view, before: new Array(40).fill(numbers(0)), after: new Array(40).fill(numbers(2e6))};
	const lines = topLines(many, table, {rows: 14, columns: 20});
	t.deepEqual(lines.slice(2, 7), [
		'CPU    M instr/s',
		'0            1.0',
		'1            1.0',
		'2            1.0',
		'+37         37.0',
	]);
	t.true(lines.length <= 14);
	for (const size of [
		{rows: 1, columns: 1},
		{rows: 3, columns: 10},
		{rows: 24, columns: 5},
	]) {
		const shown = topLines(many, table, size);
		t.true(shown.length <= size.rows && shown.every((line) => line.length <= size.columns), JSON.stringify(size));
	}
});

/** A machine whose instructions grow by a million a look, and whose processor is in one place. */
function client(kernel: object) {
	const calls: string[] = [];
	let looks = 0;
	return {
		calls,
		hello: {protocol: 'openvmm-control', version: 1, pid: 7, name: 'db', methods: []} as const,
		async call(method: string, {path = ''}: {path?: string} = {}): Promise<unknown> {
			calls.push(method);
			if (method === 'status') return {state: 'running'};
			if (method === 'kernel-symbols') return kernel;
			if (method === 'samples') {
				looks++;
				return {
					hottest: [
						{address: '0x110', ms: 30},
						{address: '0x7005010', ms: 10},
					],
					ms: 80,
					waitingMs: 40,
				};
			}
			if (path === 'vm/vcpus') return {kind: 'object', children: [['0', {kind: 'unresolved', why: 'depth'}]]};
			if (path.endsWith('instructions')) return {kind: 'value', value: looks * 1e6};
			const {VmmError} = await import('#support/errors');
			throw new VmmError({code: 'INSPECT_PATH_NOT_FOUND', message: path, context: {}});
		},
	};
}

test('a machine is asked for its kernel’s symbols once, and now and then while it has none', async (t) => {
	const known = client({stext: '0x100', symbols: [['0x100', 'work']]});
	const machine = new WatchedMachine(known, columns, []);
	const first = await machine.look(1);
	t.like(first, {
		title: 'openvmm top: db (7), running',
		hottest: [
			{name: 'work', part: 0.75},
			{name: 'page 0x7005000', part: 0.25},
		],
		waiting: 0.5,
	});
	t.is(first.before[0]?.get('counters/instructions'), 0);
	t.is(first.after[0]?.get('counters/instructions'), 1e6);
	t.is(
		(await machine.look(1)).before[0]?.get('counters/instructions'),
		1e6,
		'the end of one is the beginning of the next',
	);
	t.is(known.calls.filter((method) => method === 'kernel-symbols').length, 1);

	const unknown = client({});
	const other = new WatchedMachine(unknown, columns, [{symbols: [{address: 0x7005000n, size: 0, name: 'given'}]}]);
	for (let round = 0; round < 11; round++) await other.look(1);
	t.is(unknown.calls.filter((method) => method === 'kernel-symbols').length, 2);
	t.is((await other.look(1)).hottest[1]?.name, 'given');
});
