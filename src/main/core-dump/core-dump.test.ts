import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {MappedMemory} from '#devices/guest-memory';
import {vmConfig} from '#main/config';
import {maxCandidates} from '#main/jobs';
import {allocateRam} from '#main/memory';
import {sampleRegisters} from '#vcpu-worker/registers/testing';
import {layOutCore} from './core-layout.ts';
import {writeCore} from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-core-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const mib = 2 ** 20;
const vmcoreinfo = 'OSRELEASE=6.1.0\nPAGESIZE=4096\nSYMBOL(_stext)=ffffffff81000000\n';

/** 4 MiB at 0 and 2 MiB at 4 GiB, with something in each. */
function sample(t: ExecutionContext) {
	const ranges = [
		{gpa: 0, length: 2 * mib},
		{gpa: 2 * mib, length: 2 * mib},
		{gpa: 2 ** 32, length: 2 * mib},
	];
	const ram = allocateRam([{memory: vmConfig({memory: {sizeBytes: 6 * mib}}).memory, ranges}]);
	t.teardown(() => ram.dispose());
	const memory = new MappedMemory(ram.memory);
	memory.copyIn(0x1000, Buffer.from('low memory'));
	memory.copyIn(3 * mib, Buffer.from(vmcoreinfo));
	memory.copyIn(2 ** 32 + mib, Buffer.from('high memory'));
	const processors = [
		sampleRegisters({general: {rip: 0x1000n, rax: 0x1122_3344_5566_7788n, rsp: 0x8000n}}),
		sampleRegisters({general: {rip: 0x2000n, rbx: 7n}, special: {cr3: 0x1234000n}}),
	];
	return {ram, processors};
}

/** The file of a dump that only one test reads. */
async function dumped(t: ExecutionContext, name: string): Promise<string> {
	const path = join(folder, name);
	await writeCore(path, sample(t));
	return path;
}

test('memory lies in the file by physical address, and zeros take no room', async (t) => {
	const path = await dumped(t, 'memory');
	const file = readFileSync(path);
	const {ranges} = layOutCore(sample(t).ram.ranges, 0);
	t.deepEqual(
		ranges.map(({gpa, length}) => [gpa, length]),
		[
			[0, 4 * mib],
			[2 ** 32, 2 * mib],
		],
	);
	const offset = file.length - 6 * mib;
	t.is(file.subarray(offset + 0x1000, offset + 0x100a).toString(), 'low memory');
	t.is(file.subarray(offset + 5 * mib, offset + 5 * mib + 11).toString(), 'high memory');
	const {blocks, mode} = statSync(path);
	t.true(blocks * 512 < mib, `${blocks} blocks`);
	t.is(mode & 0o777, 0o600);
});

test('progress comes to the whole of memory', async (t) => {
	const seen: number[] = [];
	const progress = (done: number, total: number) => {
		t.is(total, 6 * mib);
		seen.push(done);
	};
	await writeCore(join(folder, 'progress'), sample(t), {progress});
	t.deepEqual(
		seen.toSorted((a, b) => a - b),
		seen,
	);
	t.is(seen.length, 3);
	t.is(seen.at(-1), 6 * mib);
});

test('a dump that fails says why and leaves nothing', async (t) => {
	const error = await t.throwsAsync(writeCore(join(folder, 'no', 'where'), sample(t)), {code: 'CORE_DUMP_FAILED'});
	t.regex(error.message, /ENOENT/);
	const before = readdirSync(folder).length;
	await t.throwsAsync(writeCore('/dev/full/x', sample(t)), {code: 'CORE_DUMP_FAILED'});
	t.is(readdirSync(folder).length, before);
});

test('what no system call refused is not said to be the disk', async (t) => {
	const progress = () => {
		throw new TypeError('a bug');
	};
	await t.throwsAsync(writeCore(join(folder, 'bug'), sample(t), {progress}), {instanceOf: TypeError, message: 'a bug'});
	t.false(readdirSync(folder).some((name) => name.startsWith('bug')));
});

test('a dump that is given up, at whatever moment, leaves what was there and nothing else', async (t) => {
	const own = mkdtempSync(join(folder, 'given-up-'));
	const path = join(own, 'core');
	writeFileSync(path, 'an older dump');
	for (const parts of [0, 1, 3]) {
		const asked = new AbortController();
		let seen = 0;
		const progress = () => void (++seen === parts && asked.abort(new Error('enough')));
		if (parts === 0) setImmediate(() => asked.abort(new Error('enough')));
		await t.throwsAsync(writeCore(path, sample(t), {progress, signal: asked.signal}), {message: 'enough'});
		t.deepEqual(readdirSync(own), ['core']);
		t.is(readFileSync(path, 'utf8'), 'an older dump');
	}
});

test('pages that only begin like VMCOREINFO are looked into a few times in all of a machine', async (t) => {
	for (const [counts, found] of [
		[[8, maxCandidates - 9], true],
		[[8, maxCandidates - 8], false],
	] as const) {
		const {ram, processors} = sample(t);
		const memory = new MappedMemory(ram.memory);
		memory.copyIn(3 * mib, new Uint8Array(vmcoreinfo.length));
		for (const [range, count] of counts.entries())
			for (let page = 0; page < count; page++) memory.copyIn(range * 2 * mib + page * 4096, Buffer.from('OSRELEASE='));
		memory.copyIn(2 ** 32, Buffer.from(vmcoreinfo));
		const path = join(folder, `candidates-${found}`);
		await writeCore(path, {ram, processors});
		t.is(readFileSync(path).subarray(0, 4096).includes('VMCOREINFO\0'), found);
	}
});

const readelfTest = existsSync('/usr/bin/readelf') ? test : test.skip;

readelfTest('readelf reads headers and notes', async (t) => {
	const path = await dumped(t, 'readelf');
	const said = execFileSync('/usr/bin/readelf', ['-lnW', path], {encoding: 'utf8'});
	t.notRegex(said, /[Ww]arning|[Ee]rror/);
	t.regex(said, /CORE \(Core file\)/);
	t.regex(said, /LOAD +0x\w+ 0x0000000000000000 0x0000000000000000 0x400000 0x400000/);
	t.regex(said, /LOAD +0x\w+ 0x0000000100000000 0x0000000100000000 0x200000 0x200000/);
	t.is(said.match(/CORE +0x00000150\s+NT_PRSTATUS/g)?.length, 2);
	t.is(said.match(/QEMU +0x000001b8/g)?.length, 2);
	t.regex(said, /VMCOREINFO +0x0000003e/);
	t.true(readFileSync(path).subarray(0, 4096).includes(`VMCOREINFO\0\0${vmcoreinfo}`));
});

const gdbTest = existsSync('/usr/bin/gdb') ? test : test.skip;

gdbTest('gdb shows the processors as threads, their registers and memory', async (t) => {
	const commands = ['info threads', 'p/x $rax', 'x/s 0x1000', 'thread 2', 'p $rbx', 'x/s 0x100100000'];
	const words = [
		'-nx',
		'-batch',
		'-ex',
		`core-file ${await dumped(t, 'gdb')}`,
		...commands.flatMap((line) => ['-ex', line]),
	];
	const said = execFileSync('/usr/bin/gdb', words, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']});
	t.regex(said, /\* 1 +LWP 1[\s\S]*2 +LWP 2/);
	t.regex(said, /= 0x1122334455667788/);
	t.regex(said, /0x1000:\t"low memory"/);
	t.regex(said, /= 7\n/);
	t.regex(said, /0x100100000:\t"high memory"/);
});
