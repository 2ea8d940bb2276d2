import test from 'ava';
import type {Table} from './columns.ts';
import {tables, topLines, WatchedMachine} from './index.ts';
import type {TopView} from './top-text.ts';

const own: readonly Table[] = [
	[
		{title: 'M instr/s', path: 'counters/instructions', unit: 1e6},
		{title: 'exits/s', path: 'counters/exits'},
		{title: 'regions', path: 'counters/regions', isLevel: true},
		{title: 'never', path: 'counters/never'},
	],
	[{title: 'never', path: 'counters/never'}],
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

const never =
	'numbers that grow are shown by the second, others as they are; what nobody has, and a table of that, not at all';
test(never, (t) => {
	t.deepEqual(topLines(view, own, {rows: 50, columns: 200}), [
		'it',
		'',
		'CPU    M instr/s  exits/s  regions',
		'0            125     1000        7',
		'1            0.0        -        -',
		'',
		'  50.0 %  █████·····  of the time they waited; of the rest:',
		'  75.0 %  ███████▌··  schedule',
		'  25.0 %  ██▌·······  evil?[2J',
	]);
});

test('what has a bound is a bar, of one processor and of several, and never longer than that', (t) => {
	const bounded: Table = [{title: 'steps', path: 'steps', unit: 10, isLevel: true, most: 'most'}];
	const of = (steps: number) => new Map(Object.entries({steps, most: 1000}));
	const after = [of(0), of(505), of(5000), of(250), of(750)];
	const [, , ...lines] = topLines({...view, before: [], after, hottest: []}, [bounded], {rows: 14, columns: 200});
	t.deepEqual(lines.slice(0, 5), [
		'CPU    steps                   ',
		'0      ··········    0.0 of 100',
		'1      █████·····   50.5 of 100',
		'2      ██████████    500 of 100',
		'+2     █████·····    100 of 200',
	]);
});

test('the columns of two tables share the rows of a screen', (t) => {
	const after = new Array(40).fill(new Map(own[0]?.map(({path}) => [path, 1])));
	const lines = topLines({...view, before: after, after}, [...own, ...own], {rows: 32, columns: 200});
	t.is(lines.length, 32 - 5 + view.hottest.length);
	t.is(lines.filter((line) => line.startsWith('+')).length, 4);
});

test('a screen is no larger than its terminal, and many processors are some and the rest together', (t) => {
	const many = {...view, before: new Array(40).fill(numbers(0)), after: new Array(40).fill(numbers(2e6))};
	const lines = topLines(many, own, {rows: 14, columns: 20});
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
		const shown = topLines(many, own, size);
		t.true(shown.length <= size.rows && shown.every((line) => line.length <= size.columns), JSON.stringify(size));
	}
});

const counters = (looks: number) => [
	['instructions', {kind: 'value', value: looks * 1e6}],
	['translations', {kind: 'object', children: [['present', {kind: 'value', value: 7}]]}],
];

/** A machine whose instructions grow by a million a look, and whose processor is in one place. */
function client(kernel: object) {
	const calls: string[] = [];
	let looks = 0;
	return {
		calls,
		hello: {protocol: 'openvmm-control', version: 1, pid: 7, name: 'db', methods: []} as const,
		async call(method: string, {path = ''}: {path?: string} = {}): Promise<unknown> {
			calls.push(method === 'inspect' ? path : method);
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
			if (path === 'vm/vcpus/0/counters') return {kind: 'object', children: counters(looks)};
			const {VmmError} = await import('#support/errors');
			throw new VmmError({code: 'INSPECT_PATH_NOT_FOUND', message: path, context: {}});
		},
	};
}

test('a machine is asked for its kernel’s symbols once, and now and then while it has none', async (t) => {
	const known = client({stext: '0x100', symbols: [['0x100', 'work']]});
	const machine = new WatchedMachine(known, tables, []);
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
	t.is(first.after[0]?.get('counters/translations/present'), 7);
	t.false(first.after[0]?.has('exits/port'));
	t.is(known.calls.filter((method) => method === 'kernel-symbols').length, 1);
	t.is(known.calls.filter((call) => call.startsWith('vm/vcpus/0/')).length, 3 * 2, 'each part of the tree once a look');

	const unknown = client({});
	const other = new WatchedMachine(unknown, tables, [{symbols: [{address: 0x7005000n, size: 0, name: 'given'}]}]);
	for (let round = 0; round < 11; round++) await other.look(1);
	t.is(unknown.calls.filter((method) => method === 'kernel-symbols').length, 2);
	t.is((await other.look(1)).hottest[1]?.name, 'given');
});
