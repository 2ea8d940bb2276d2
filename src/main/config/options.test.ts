import test from 'ava';
import {isVmmError, type VmmError, type VmmErrorCode} from '#support/errors';
import {parseSize} from '#support/options';
import {parseFlat, parseGuestAction, parseMemory} from './index.ts';

const MiB = 2 ** 20;

/** The code and text of what `action` throws. */
function thrown(action: () => unknown): VmmError {
	try {
		action();
	} catch (error) {
		if (isVmmError(error)) return error;
		throw error;
	}
	throw new Error('Nothing was thrown');
}

const sizes: [string, number][] = [
	['64G', 64 * 1024 * MiB],
	['64GB', 64 * 1024 * MiB],
	['3MB', 3 * MiB],
	['512KB', 512 * 1024],
	['1T', 1024 * 1024 * MiB],
	['4096', 4096],
	['4096B', 4096],
	['0', 0],
];
for (const [text, bytes] of sizes) {
	test(`memory size ${text} is ${bytes} bytes`, (t) => {
		t.is(parseSize(text, '--memory'), bytes);
	});
}

for (const text of ['', 'G', 'B', '3MiB', '1g', '-1G', '1.5G', '1 G', '0x1000', '1E', '99999999T', 'NaN']) {
	test(`memory size "${text}" is refused with what is allowed`, (t) => {
		const error = thrown(() => parseSize(text, '--memory'));
		t.is(error.code, 'CONFIG_VALUE_INVALID');
		t.is(error.message, `--memory "${text}" is not valid`);
		t.regex(error.remedy ?? '', /1G, 512MB/);
	});
}

const memories: [string, object][] = [
	['64G', {sizeBytes: 64 * 1024 * MiB}],
	['size=2G,shared=off,prefetch=on,thp=on', {sizeBytes: 2048 * MiB, shared: false, prefetch: true, thp: true}],
	['size=4GB,hugepages=on,hugepage_size=2MB', {sizeBytes: 4096 * MiB, hugepages: true, hugepageSizeBytes: 2 * MiB}],
	['file=/tmp/a=b', {file: '/tmp/a=b'}],
	['shared', {shared: true}],
	['hugepages=off,thp=off', {hugepages: false, thp: false}],
];
for (const [text, memory] of memories) {
	test(`memory "${text}" gives exactly the keys it names`, (t) => {
		t.deepEqual(parseMemory(text), memory);
	});
}

const badMemories: [string, VmmErrorCode][] = [
	['size=1G,size=2G', 'CONFIG_KEY_REPEATED'],
	['hugepage_size=2M', 'CONFIG_REQUIRES'],
	['hugepages=off,hugepage_size=2M', 'CONFIG_REQUIRES'],
	['hugepages=on,shared=off', 'CONFIG_CONFLICT'],
	['hugepages=on,file=/tmp/m', 'CONFIG_CONFLICT'],
	['shared=off,file=/tmp/m', 'CONFIG_CONFLICT'],
	['size=1G,', 'CONFIG_KEY_UNKNOWN'],
	['1G,thp', 'CONFIG_KEY_UNKNOWN'],
	['size=1G,toString', 'CONFIG_KEY_UNKNOWN'],
	['size', 'CONFIG_VALUE_INVALID'],
	['size=', 'CONFIG_VALUE_INVALID'],
	['file=', 'CONFIG_VALUE_INVALID'],
	['thp=yes', 'CONFIG_VALUE_INVALID'],
	['thp=', 'CONFIG_VALUE_INVALID'],
	['size=banana', 'CONFIG_VALUE_INVALID'],
];
for (const [text, code] of badMemories) {
	test(`memory "${text}" is refused as ${code}`, (t) => {
		t.is(thrown(() => parseMemory(text)).code, code);
	});
}

test('guest actions parse, and a bare exit has status 0', (t) => {
	t.is(parseGuestAction('reset', '--a'), 'reset');
	t.is(parseGuestAction('halt', '--a'), 'halt');
	t.deepEqual(parseGuestAction('exit', '--a'), {exit: 0});
	t.deepEqual(parseGuestAction('exit:255', '--a'), {exit: 255});
});

for (const text of ['', 'exit:', 'exit:256', 'exit:-1', 'exit:nope', 'Exit', 'stop']) {
	test(`guest action "${text}" is refused`, (t) => {
		t.is(thrown(() => parseGuestAction(text, '--a')).code, 'CONFIG_VALUE_INVALID');
	});
}

test('a flat image takes an address and a mode', (t) => {
	t.deepEqual(parseFlat('a.bin'), {kind: 'flat', image: 'a.bin', address: 0x10_0000, mode: 'long'});
	t.deepEqual(parseFlat('a.bin,address=0x7c00,mode=real'), {
		kind: 'flat',
		image: 'a.bin',
		address: 0x7c00,
		mode: 'real',
	});
	t.is(thrown(() => parseFlat('a.bin,mode=protected')).code, 'CONFIG_VALUE_INVALID');
	t.is(thrown(() => parseFlat('a.bin,address=0x100000000')).code, 'CONFIG_NUMBER_RANGE');
	t.is(thrown(() => parseFlat('a.bin,at=1')).code, 'CONFIG_KEY_UNKNOWN');
});
