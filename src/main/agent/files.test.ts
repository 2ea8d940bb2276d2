/** Files, by the program that guests have, which runs here. */
import {execFileSync} from 'node:child_process';
import {existsSync, lstatSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {pipeline} from 'node:stream/promises';
import anyTest, {type TestFn} from 'ava';
import type {GuestFileEvent} from './guest-files.ts';
import {type RealAgent, startAgent} from './testing/real-agent.ts';

const test = anyTest as TestFn<RealAgent & {readonly folder: string}>;

test.beforeEach(async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'agent-files-'));
	t.context = {...(await startAgent()), folder};
});

test.afterEach.always(async (t) => {
	await t.context[Symbol.asyncDispose]?.();
	rmSync(t.context.folder, {recursive: true, force: true});
});

test('files are written and read, whole and as streams', async (t) => {
	const {
		folder,
		agent: {files},
	} = t.context;
	const path = join(folder, 'ä file');
	await files.write(path, 'text', {mode: 0o600});
	t.is(`${await files.read(path)}`, 'text');
	t.is(lstatSync(path).mode & 0o7777, 0o600);
	await files.write(path, ' and more', {append: true});
	t.is(readFileSync(path, 'utf8'), 'text and more');
	await files.write(path, 'short');
	t.is(readFileSync(path, 'utf8'), 'short');
	await files.write(path, '');
	t.is((await files.read(path)).length, 0);
	const large = Buffer.alloc(40 * 2 ** 20, 'a line that is not as long as a window\n');
	await files.write(path, large);
	t.true(readFileSync(path).equals(large));
	t.true((await files.read(path)).equals(large));
	const copy = join(folder, 'copy');
	await pipeline(files.readStream(path, {start: 7}), files.writeStream(copy));
	t.true(readFileSync(copy).equals(large.subarray(7)));
	await t.throwsAsync(files.read(path, {most: 1000}), {code: 'AGENT_OUTPUT_TOO_LONG'});
	await t.throwsAsync(files.read(folder), {code: 'AGENT_FAILED', message: /EISDIR/});
	await t.throwsAsync(files.read(join(folder, 'none')), {
		code: 'AGENT_FAILED',
		message: /read .*none: ENOENT \(open\)/,
	});
	await t.throwsAsync(files.read('relative'), {code: 'AGENT_REQUEST_INVALID'});
	await t.throwsAsync(files.write(join(folder, 'none/file'), 'x'), {code: 'AGENT_FAILED', message: /ENOENT \(open\)/});
	await t.throwsAsync(files.write('/dev/full', 'x'), {code: 'AGENT_FAILED', message: /ENOSPC \(write\)/});
	t.regex(`${await files.read('/proc/self/status')}`, /^Name:\tguest-agent/);
});

test('an atomic write is seen whole or not at all, and leaves nothing', async (t) => {
	const {
		folder,
		agent: {files},
	} = t.context;
	const path = join(folder, 'file');
	writeFileSync(path, 'before');
	const stream = files.writeStream(path, {atomic: true});
	await new Promise((resolve) => stream.write('half', resolve));
	await files.stat(path);
	t.is(readFileSync(path, 'utf8'), 'before');
	t.is((await files.readdir(folder)).length, 2);
	stream.destroy();
	while ((await files.readdir(folder)).length > 1);
	t.is(readFileSync(path, 'utf8'), 'before');
	await files.write(path, 'after', {atomic: true});
	t.is(readFileSync(path, 'utf8'), 'after');
	t.deepEqual(await files.readdir(folder), [{name: 'file', kind: 'file'}]);
});

test('stat, links, names, modes, owners and times', async (t) => {
	const {
		folder,
		agent: {files},
	} = t.context;
	const [path, link] = [join(folder, 'file'), join(folder, 'link')];
	await files.write(path, '12345');
	await files.symlink('file', link);
	t.is(await files.readlink(link), 'file');
	await files.chmod(path, 0o4711);
	await files.utimes(path, 1_000_000_000_123, -1500.5);
	const status = await files.stat(link);
	const own = lstatSync(path, {bigint: true});
	t.deepEqual(
		[status.kind, status.mode, status.size, status.inode, status.links, status.uid],
		['file', 0o4711, 5, own.ino, 1, Number(own.uid)],
	);
	t.deepEqual([status.atimeMs, status.mtimeMs], [1_000_000_000_123, -1501]);
	t.is(own.mtimeNs, -1_500_500_000n);
	t.is((await files.stat(link, {follow: false})).kind, 'symlink');
	t.is((await files.stat('/dev/null')).kind, 'character-device');
	await files.rename(path, join(folder, 'other'));
	await t.throwsAsync(files.stat(link), {code: 'AGENT_FAILED', message: /ENOENT \(stat\)/});
	if (process.getuid?.() !== 0) return;
	await files.chown(join(folder, 'other'), 12, 34);
	await files.chown(link, 56, 78, {follow: false});
	t.deepEqual([lstatSync(join(folder, 'other')).uid, lstatSync(link).gid], [12, 78]);
});

test('folders are made, listed and removed, and no link is followed', async (t) => {
	const {
		folder,
		agent: {files},
	} = t.context;
	const deep = join(folder, 'a/b/c');
	await t.throwsAsync(files.mkdir(deep), {code: 'AGENT_FAILED', message: /ENOENT \(mkdir\)/});
	await files.mkdir(deep, {recursive: true});
	await files.mkdir(deep, {recursive: true});
	await t.throwsAsync(files.mkdir(deep), {message: /EEXIST/});
	const many = Array.from({length: 3000}, (_, i) => `entry ${i} ${'x'.repeat(i % 200)}`);
	for (const name of many) writeFileSync(join(deep, name), '');
	t.deepEqual((await files.readdir(deep)).map(({name}) => name).sort(), [...many].sort());
	const kept = join(folder, 'kept');
	execFileSync('sh', ['-c', 'mkdir "$1"; echo x >"$1/file"', 'sh', kept]);
	symlinkSync(kept, join(deep, 'link'));
	await t.throwsAsync(files.remove(join(folder, 'a')), {message: /ENOTEMPTY \(remove\)/});
	await files.remove(join(folder, 'a'), {recursive: true});
	t.false(existsSync(join(folder, 'a')));
	t.true(existsSync(join(kept, 'file')));
	await t.throwsAsync(files.remove(join(folder, 'a')), {message: /ENOENT/});
	await files.remove(join(folder, 'a'), {force: true});
	execFileSync('sh', ['-c', 'mkdir "$1/odd"; : >"$1/odd/$(printf "a\\377")"', 'sh', folder]);
	t.deepEqual(await files.readdir(join(folder, 'odd')), [{name: 'a\ufffd', kind: 'file'}]);
	await t.throwsAsync(files.mkdir(join(kept, 'file'), {recursive: true}), {message: /ENOTDIR/});
	// Deeper than a path is long, and than the agent goes at once.
	execFileSync('sh', ['-c', 'cd "$1"; i=0; while [ $i -lt 1000 ]; do mkdir d; cd d; i=$((i+1)); done', 'sh', kept]);
	await files.remove(kept, {recursive: true});
	t.false(existsSync(kept));
});

test('a watch says what happens to a folder, until it is left', async (t) => {
	const {
		folder,
		agent: {files},
	} = t.context;
	const seen: GuestFileEvent[] = [];
	const watch = files.watch(folder)[Symbol.asyncIterator]();
	const next = watch.next();
	await files.stat(folder);
	writeFileSync(join(folder, 'one'), 'x');
	seen.push((await next).value as GuestFileEvent);
	await files.rename(join(folder, 'one'), join(folder, 'two'));
	await files.mkdir(join(folder, 'sub'));
	while (!seen.some(({name}) => name === 'sub')) seen.push((await watch.next()).value as GuestFileEvent);
	t.deepEqual(
		seen.map(({kind, name, isFolder}) => [kind, name, isFolder]),
		[
			['created', 'one', false],
			['modified', 'one', false],
			['closed', 'one', false],
			['moved-from', 'one', false],
			['moved-to', 'two', false],
			['created', 'sub', true],
		],
	);
	t.is(seen[3]?.cookie, seen[4]?.cookie);
	t.not(seen[3]?.cookie, 0);
	await watch.return?.();
	const gone = files.watch(join(folder, 'sub'))[Symbol.asyncIterator]();
	const last = gone.next();
	await files.stat(folder);
	rmSync(join(folder, 'sub'), {recursive: true});
	t.is((await last).value?.kind, 'gone');
	t.true((await gone.next()).done);
	await t.throwsAsync(files.watch(join(folder, 'none'))[Symbol.asyncIterator]().next(), {message: /ENOENT \(watch\)/});
});

test('connections to servers, each direction of which ends by itself', async (t) => {
	const {folder, agent} = t.context;
	const path = join(folder, 'socket');
	for (const where of [path, '127.0.0.1', '::1']) {
		const isPath = where === path;
		const server = createServer({allowHalfOpen: true}, (socket) => {
			const pieces: Buffer[] = [];
			socket.on('data', (piece) => pieces.push(piece));
			socket.on('end', () => socket.end(Buffer.concat(pieces)));
		});
		await new Promise<void>((resolve) => server.listen(isPath ? {path} : {host: where, port: 0}, resolve));
		const listening = server.address();
		const port = typeof listening === 'object' ? (listening?.port ?? 0) : 0;
		const address = isPath ? {path} : {host: where, port};
		const stream = await agent.connect(address);
		const sent = Buffer.alloc(3 * 2 ** 20, 'echo');
		stream.end(sent);
		const pieces: Buffer[] = [];
		for await (const piece of stream) pieces.push(piece as Buffer);
		t.true(Buffer.concat(pieces).equals(sent));
		await new Promise((resolve) => server.close(resolve));
		await t.throwsAsync(agent.connect(address), {code: 'AGENT_FAILED', message: /(ECONNREFUSED|ENOENT) \(connect\)/});
	}
	await t.throwsAsync(agent.connect({host: 'name.example', port: 1}), {message: /EADDRNOTAVAIL \(address\)/});
	t.is((await agent.exec(['true'])).exitCode, 0);
});

test('what is given up is not done further', async (t) => {
	const {agent} = t.context;
	const controller = new AbortController();
	const reading = agent.files.read('/dev/zero', {signal: controller.signal, most: 2 ** 40});
	await agent.files.stat('/');
	controller.abort(new Error('enough'));
	await t.throwsAsync(reading, {message: 'enough'});
	for (let i = 0; i < 3; i++)
		for await (const piece of agent.files.readStream('/dev/zero')) {
			t.true(piece.length > 0);
			break;
		}
	t.is((await agent.exec(['true'])).exitCode, 0);
});
