import {execFileSync, spawnSync} from 'node:child_process';
import {mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {release, systemDebs} from '#main/images/testing';
import {makeMirror, makeSigner, serveMirror} from '#main/mirror/testing';
import {buildInitrd, type KernelRequest, provideKernel} from './index.ts';

const signer = await makeSigner();
const files = await makeMirror({
	debs: systemDebs,
	signer,
	suite: 'bookworm',
	fields: {Date: 'Sat, 28 Nov 2026 02:53:00 UTC'},
});

interface Prepared {
	readonly folder: string;
	readonly cache: string;
	readonly request: KernelRequest;
}

/** A mirror, and a folder for what comes of it; packages are kept in one of the test's own. */
async function prepared(t: ExecutionContext): Promise<Prepared> {
	const folder = await mkdtemp(join(tmpdir(), 'kernel-'));
	t.teardown(() => rm(folder, {recursive: true, force: true}));
	const {address} = await serveMirror(t, files);
	const keyring = join(folder, 'keyring');
	await writeFile(keyring, signer.keyring);
	const cache = join(folder, 'cache');
	return {folder, cache, request: {mirrors: [{address}], keyring, cache, packages: join(folder, 'packages')}};
}

const read = (path: string) => readFile(path, 'latin1');

test('a kernel comes from a mirror once, with its modules, and then from the cache', async (t) => {
	const {request, cache} = await prepared(t);
	const steps = new Set<string>();
	const kernel = await provideKernel(request, {progress: (step, done, total) => steps.add(`${step} ${done <= total}`)});
	t.deepEqual([...steps], ['packages true', 'download true', 'unpack true']);
	t.is(kernel.release, release);
	t.is(await read(kernel.path), 'kernel');
	t.true((await stat(join(kernel.modules ?? '', 'modules.builtin'))).isFile());
	const again = await provideKernel({...request, pull: 'never'}, {progress: (step) => t.fail(step)});
	t.deepEqual(again, kernel);
	t.deepEqual(await provideKernel({...request, pull: 'always'}), kernel);
	t.deepEqual(await readdir(join(cache, 'partial')), []);
});

test('what one keyring vouches for, another does not', async (t) => {
	const {folder, request} = await prepared(t);
	await provideKernel(request);
	const keyring = join(folder, 'another');
	await writeFile(keyring, (await makeSigner()).keyring);
	await t.throwsAsync(provideKernel({...request, keyring, pull: 'never'}), {code: 'GUEST_KERNEL_MISSING'});
	await t.throwsAsync(provideKernel({...request, keyring}), {code: 'MIRROR_SIGNER_UNKNOWN'});
});

test('what a process left that was ended by force is taken away, a folder too', async (t) => {
	const {request, cache} = await prepared(t);
	await provideKernel(request);
	const left = join(cache, 'partial', 'kernel.left');
	await mkdir(join(left, 'modules'), {recursive: true});
	await writeFile(join(left, 'vmlinuz'), 'half');
	await provideKernel(request);
	t.deepEqual(await readdir(join(cache, 'partial')), ['kernel.left'], 'somebody may write it');
	const old = new Date(Date.now() - 2 * 24 * 3600 * 1000);
	await utimes(left, old, old);
	await provideKernel(request);
	t.deepEqual(await readdir(join(cache, 'partial')), []);
});

test('what the host says of the cache is told as that', async (t) => {
	const {request, cache} = await prepared(t);
	await provideKernel(request);
	const [note = ''] = await readdir(join(cache, 'notes'));
	await rm(join(cache, 'notes', note));
	await mkdir(join(cache, 'notes', note));
	for (const pull of ['never', 'always'] as const)
		await t.throwsAsync(provideKernel({...request, pull}), {code: 'GUEST_KERNEL_CACHE_FAILED', message: /EISDIR/});
	t.deepEqual(await readdir(join(cache, 'partial')), []);
});

test('several that want a kernel at once get it whole', async (t) => {
	const {request} = await prepared(t);
	await mkdir(request.cache ?? '', {mode: 0o700});
	const found = await Promise.all([1, 2, 3].map(() => provideKernel(request)));
	t.is(new Set(found.map(({path}) => path)).size, 1);
});

test('without a mirror and without a cache, the error names what helps', async (t) => {
	const {request} = await prepared(t);
	const offline = {...request, mirrors: [{address: 'http://127.0.0.1:1/'}]};
	await t.throwsAsync(provideKernel({...request, pull: 'never'}), {code: 'GUEST_KERNEL_MISSING'});
	const patience = {spans: [], waitsMs: [1, 1]};
	const error = await t.throwsAsync(provideKernel(offline, {patience}), {code: 'GUEST_KERNEL_OFFLINE'});
	t.regex((error as {remedy?: string}).remedy ?? '', /--kernel FILE/);
});

test('a kernel that is named is taken as it is', async (t) => {
	const {request, folder} = await prepared(t);
	const path = join(folder, 'vmlinuz');
	await t.throwsAsync(provideKernel({kernel: path}), {code: 'GUEST_KERNEL_UNUSABLE', message: /there is none/});
	await writeFile(path, 'own');
	t.deepEqual(await provideKernel({kernel: path}), {path, release: undefined, modules: undefined});
	await t.throwsAsync(provideKernel({kernel: path, modules: folder}), {
		code: 'GUEST_KERNEL_UNUSABLE',
		message: /modules\.builtin/,
	});
	const {modules = ''} = await provideKernel(request);
	t.deepEqual(await provideKernel({kernel: path, modules}), {path, release, modules});
});

const hasCpio = spawnSync('cpio', ['--version']).status === 0;

test('an initial file system has the program, and modules behind what they need, once for each', async (t) => {
	const {request, folder, cache} = await prepared(t);
	const kernel = await provideKernel(request);
	const init = Buffer.from('#!agent');
	const modules = ['virtio_blk', 'ext4', 'none'];
	const path = await buildInitrd({kernel, init, modules, cache});
	const {ino} = await stat(path);
	t.is((await stat(await buildInitrd({kernel, init, modules, cache}))).ino, ino);
	t.not(await buildInitrd({kernel, init: Buffer.from('other'), modules, cache}), path);
	const alone = await buildInitrd({kernel: {...kernel, modules: undefined, release: undefined}, init, cache});
	t.true((await stat(alone)).size < (await stat(path)).size);
	if (!hasCpio) return;
	const out = join(folder, 'out');
	await mkdir(out);
	execFileSync('cpio', ['--extract', '--make-directories', '--quiet', '--nonmatching', 'dev/console'], {
		cwd: out,
		input: await readFile(path),
	});
	t.is(await read(join(out, 'init')), '#!agent');
	t.is((await stat(join(out, 'init'))).mode & 0o777, 0o755);
	const lines = (await read(join(out, `lib/modules/${release}/modules.dep`))).trim().split('\n');
	const loaded = new Set<string>();
	for (const [name = '', needs = ''] of lines.map((line) => line.split(':'))) {
		for (const need of needs.split(' ').filter((each) => each !== ''))
			t.true(loaded.has(need), `${name} needs ${need}`);
		loaded.add(name);
		t.true((await stat(join(out, `lib/modules/${release}`, name))).isFile());
	}
	t.true([...loaded].some((name) => name.endsWith('virtio_blk.ko')));
});

test('work that is given up leaves nothing behind', async (t) => {
	const {request, cache} = await prepared(t);
	for (const when of ['packages', 'download', 'unpack']) {
		const ending = new AbortController();
		const asked = {
			signal: ending.signal,
			progress: (step: string) => step === when && ending.abort(new Error('enough')),
		};
		await t.throwsAsync(provideKernel(request, asked), {code: 'OPERATION_ABORTED'}, when);
		t.deepEqual(await readdir(join(cache, 'kernels')), [], when);
		t.deepEqual(await readdir(join(cache, 'partial')), [], when);
	}
});
