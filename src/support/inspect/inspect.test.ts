import test from 'ava';
import {
	byteCount,
	choiceWriter,
	dataNode,
	duration,
	hex,
	type InspectNode,
	type InspectOptions,
	inspectTree,
	integerWriter,
	leaf,
	object,
	toJson,
	toText,
	updateTree,
} from './index.ts';

const never = new Promise<never>(() => {});

function tree() {
	const settings = {level: 'warn', poll: 5};
	const root: InspectNode = object(() => ({
		vm: object(() => ({
			state: 'running',
			time: duration(1_500_000),
			vcpus: object(async () => ({
				0: object(() => ({rip: hex(0xffff_ffff_8100_0000n), running: true})),
				1: object(() => ({rip: leaf(() => never), running: true})),
			})),
			memory: object(() => ({size: byteCount(64 * 2 ** 20), hostAddress: leaf(() => 0x7f00n, {sensitive: true})})),
			broken: leaf(() => {
				throw new Error('out\nof order');
			}),
			absent: undefined,
		})),
		log: leaf(() => settings.level, {
			writer: choiceWriter(['warn', 'info'], (word) => {
				settings.level = word;
			}),
		}),
		poll: leaf(() => settings.poll, {
			format: 'hex',
			writer: integerWriter(0, 100, (value) => {
				settings.poll = value;
			}),
		}),
		hung: object(() => never),
		stuck: leaf(() => 1, {writer: {expected: 'patience', write: () => never}}),
	}));
	return {root, settings};
}

const inspect = (path: string, options: InspectOptions = {}) =>
	inspectTree(tree().root, path, {timeoutMs: 20, ...options});

test('one level is opened unless more is asked for', async (t) => {
	t.deepEqual(toJson(await inspect('vm', {safe: true})), {
		state: 'running',
		time: 1_500_000,
		vcpus: {$unresolved: 'depth'},
		memory: {$unresolved: 'depth'},
		broken: {$error: 'out\nof order'},
	});
});

test('what does not answer in time is unresolved, and the rest is shown', async (t) => {
	t.deepEqual(toJson(await inspect('', {depth: 9})), {
		vm: {
			state: 'running',
			time: 1_500_000,
			vcpus: {0: {rip: '0xffffffff81000000', running: true}, 1: {rip: {$unresolved: 'timeout'}, running: true}},
			memory: {size: 67108864, hostAddress: {$sensitive: '0x7f00'}},
			broken: {$error: 'out\nof order'},
		},
		log: 'warn',
		poll: 5,
		hung: {$unresolved: 'timeout'},
		stuck: 1,
	});
});

test('the text form marks what is sensitive, writable, missing and deeper', async (t) => {
	t.is(
		toText(await inspect('', {depth: 3})),
		[
			'vm/',
			'  state: running',
			'  time: 1.50 ms',
			'  vcpus/',
			'    0/ …',
			'    1/ …',
			'  memory/',
			'    size: 64 MiB',
			'    hostAddress: 0x7f00 (sensitive)',
			'  broken: (error: out�of order)',
			'log: warn (writable)',
			'poll: 0x5 (writable)',
			'hung: (no answer in time)',
			'stuck: 1 (writable)',
		].join('\n'),
	);
	t.is(toText(await inspect('/vm//vcpus/0/rip/')), '0xffffffff81000000');
});

test('an object that is sensitive as a whole has one mark', async (t) => {
	const root = object(() => ({registers: object(() => ({rip: hex(5n)}), {sensitive: true})}));
	const result = await inspectTree(root, '', {depth: 2});
	t.is(toText(result), 'registers/ (sensitive)\n  rip: 0x5');
	t.deepEqual(toJson(result), {registers: {$sensitive: true, rip: '0x5'}});
	t.is(toText(await inspectTree(root, '', {depth: 2, safe: true})), 'registers: (sensitive)');
	t.is(toText(await inspectTree(root, 'registers/rip', {safe: true})), '(sensitive)');
});

test('sensitive nodes are left out on demand', async (t) => {
	t.is(toText(await inspect('vm/memory', {safe: true})), 'size: 64 MiB\nhostAddress: (sensitive)');
	t.deepEqual(await inspect('vm/memory/hostAddress', {safe: true}), {kind: 'unresolved', why: 'sensitive'});
});

test('of plain data, addresses that may let others read are sensitive', async (t) => {
	const root = object(() => ({
		disk: dataNode({url: 'https://a/b?signature=secret', other: 'http://a/b', title: 'why?'}),
	}));
	const result = await inspectTree(root, 'disk', {safe: true});
	t.is(toText(result), 'url: (sensitive)\nother: http://a/b\ntitle: why?');
	t.deepEqual(toJson(await inspectTree(root, 'disk/url', {})), {$sensitive: 'https://a/b?signature=secret'});
});

const wrongPaths: [string, string, RegExp][] = [
	['vm/vcpu/0', 'INSPECT_PATH_NOT_FOUND', /no "vcpu" in "vm"/],
	['vn', 'INSPECT_PATH_NOT_FOUND', /no "vn" in the tree/],
	['constructor', 'INSPECT_PATH_NOT_FOUND', /no "constructor"/],
	['vm/absent', 'INSPECT_PATH_NOT_FOUND', /no "absent" in "vm"/],
	['vm/state/deeper', 'INSPECT_PATH_BELOW_VALUE', /"vm\/state" is a value/],
	['log/deeper', 'INSPECT_PATH_BELOW_VALUE', /"log" is a value/],
	['hung/deeper', 'INSPECT_NO_ANSWER', /owner of "hung" did not answer within 20 ms/],
];
for (const [path, code, message] of wrongPaths) {
	test(`the path ${path} is an error that says what is wrong`, async (t) => {
		await t.throwsAsync(inspect(path), {code, message});
	});
}

test('a near name is suggested with its whole path', async (t) => {
	const error = await t.throwsAsync<Error & {remedy?: string}>(inspect('vm/vcpu'));
	t.is(error.remedy, 'Did you mean vm/vcpus?');
});

test('writable leaves take what they expect and nothing else', async (t) => {
	const {root, settings} = tree();
	t.like(await updateTree(root, 'log', 'info'), {value: 'info'});
	t.like(await updateTree(root, 'poll', '0x10'), {value: 16});
	t.deepEqual(settings, {level: 'info', poll: 16});
	for (const [path, value] of [
		['log', 'loud'],
		['poll', '101'],
		['poll', ''],
		['poll', '1e1'],
		['poll', '-1'],
	] as const) {
		await t.throwsAsync(updateTree(root, path, value), {code: 'INSPECT_VALUE_INVALID'});
	}
	t.deepEqual(settings, {level: 'info', poll: 16});
});

test('read-only leaves, plain values, objects and hanging owners refuse to be written', async (t) => {
	const {root} = tree();
	for (const path of ['vm', 'vm/state', 'vm/time', 'vm/memory/hostAddress']) {
		await t.throwsAsync(updateTree(root, path, '1'), {code: 'INSPECT_READ_ONLY'});
	}
	await t.throwsAsync(updateTree(root, 'stuck', '1', {timeoutMs: 10}), {code: 'INSPECT_NO_ANSWER'});
	await t.throwsAsync(updateTree(root, 'vm/stat', '1'), {code: 'INSPECT_PATH_NOT_FOUND'});
});
