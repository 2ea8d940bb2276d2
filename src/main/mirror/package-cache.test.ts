import {chmod, chown, mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {PackageCache} from './package-cache.ts';

async function folderOf(t: ExecutionContext): Promise<string> {
	const folder = await mkdtemp(join(tmpdir(), 'cache-'));
	t.teardown(() => rm(folder, {recursive: true, force: true}));
	return folder;
}

test('the cache lies where caches belong, for nobody else to read or write', async (t) => {
	const base = await folderOf(t);
	const {folder} = await PackageCache.open(undefined, {XDG_CACHE_HOME: base});
	t.is(folder, join(base, 'openvmm/packages'));
	for (const each of [folder, join(folder, 'sha256')]) t.is((await stat(each)).mode & 0o777, 0o700);
});

test('nothing is kept where others may write', async (t) => {
	for (const open of ['', 'openvmm', 'openvmm/packages']) {
		const base = await folderOf(t);
		await mkdir(join(base, 'openvmm/packages'), {recursive: true});
		await chmod(join(base, open), 0o775);
		const opened = PackageCache.open(undefined, {XDG_CACHE_HOME: base});
		await t.throwsAsync(opened, {code: 'MIRROR_CACHE_UNSAFE', message: /others may write/});
		// Who names a folder answers for what it is in.
		const own = join(base, 'openvmm/packages');
		if (open === 'openvmm/packages') await t.throwsAsync(PackageCache.open(own), {code: 'MIRROR_CACHE_UNSAFE'});
		else t.is((await PackageCache.open(own)).folder, own);
	}
});

const rootTest = process.geteuid?.() === 0 ? test : test.skip;

rootTest('root keeps nothing in the folder of another user', async (t) => {
	const folder = join(await folderOf(t), 'own');
	await mkdir(folder);
	await chown(folder, 65534, 65534);
	const error = await t.throwsAsync(PackageCache.open(folder), {code: 'MIRROR_CACHE_UNSAFE', message: /user 65534/});
	t.regex((error as unknown as {remedy: string}).remedy, /--cache/);
});

test('a folder that cannot be made is told', async (t) => {
	const folder = await folderOf(t);
	await writeFile(join(folder, 'file'), '');
	await t.throwsAsync(PackageCache.open(join(folder, 'file/cache')), {
		code: 'MIRROR_CACHE_UNSAFE',
		message: /ENOTDIR/,
	});
});

test('what nobody writes any more is dropped after a day, and not before', async (t) => {
	const folder = await folderOf(t);
	await PackageCache.open(folder);
	const partial = join(folder, 'partial');
	for (const name of ['old', 'new']) await writeFile(join(partial, name), '');
	const dayAgo = Date.now() / 1000 - 25 * 3600;
	await utimes(join(partial, 'old'), dayAgo, dayAgo);
	await PackageCache.open(folder);
	t.deepEqual(await readdir(partial), ['new']);
});
