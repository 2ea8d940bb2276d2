import {createHash} from 'node:crypto';
import {mkdir, mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {checkExt4, debugfs, hasExt4Tools} from '#main/ext4/testing';
import {makeMirror, makeSigner, serveMirror} from '#main/mirror/testing';
import {buildDebianImage, type DebianImageBuild} from './build-debian-image.ts';
import type {ImageOperation} from './debian-image.ts';
import {systemDebs} from './testing/made-distribution.ts';

const signer = await makeSigner();
const date = 'Sat, 28 Nov 2026 02:53:00 UTC';
const files = await makeMirror({debs: systemDebs, signer, suite: 'bookworm', fields: {Date: date}});
const names = ['disk', 'initrd.gz', 'vmlinuz', 'whole.zst'] as const;

interface Built {
	readonly folder: string;
	build(changes?: Partial<DebianImageBuild>, operation?: ImageOperation): Promise<void>;
	/** Digests of the files that were made, by their names. */
	made(): Promise<Record<string, string>>;
}

/** A mirror, and a folder for what is built. */
async function prepared(t: ExecutionContext): Promise<Built> {
	const folder = await mkdtemp(join(tmpdir(), 'build-'));
	t.teardown(() => rm(folder, {recursive: true}));
	const {address} = await serveMirror(t, files);
	const [keyring, out] = [join(folder, 'keyring'), join(folder, 'deep/out')];
	await writeFile(keyring, signer.keyring);
	const [disk, initrd, kernel, whole] = names.map((name) => join(out, name)) as [string, string, string, string];
	const usual = {
		packages: ['login'],
		base: 'essential',
		mirrors: [{address}],
		keyring,
		cache: join(folder, 'cache'),
		files: {disk, initrd, kernel, whole},
	} as const;
	return {
		folder: out,
		build: (changes = {}, operation = {}) => buildDebianImage({...usual, ...changes}, operation),
		async made() {
			const found = await readdir(out).catch(() => []);
			const digests = found.map(async (name) => {
				const bytes = await readFile(join(out, name));
				return [name, createHash('sha256').update(bytes).digest('hex')] as const;
			});
			return Object.fromEntries(await Promise.all(digests));
		},
	};
}

test('from two mirrors, into two folders and at two times, the same image is made', async (t) => {
	const [one, two] = [await prepared(t), await prepared(t)];
	await one.build();
	await two.build();
	const [made, again] = [await one.made(), await two.made()];
	t.deepEqual(Object.keys(made).sort(), [...names].sort());
	t.deepEqual(again, made);
	await one.build({time: 1_700_000_000});
	const other = await one.made();
	t.not(other['disk'], made['disk']);
	t.not(other['initrd.gz'], made['initrd.gz']);
});

const toolTest = hasExt4Tools ? test : test.skip;

toolTest('users and permissions are those of the packages and of the system', async (t) => {
	const {build, folder} = await prepared(t);
	await build({commands: ['true'], hostName: 'named', packages: ['login', 'tool']});
	const disk = join(folder, 'disk');
	checkExt4(t, disk);
	const expected = {
		'/usr/bin/su': ['regular', '04755', 0, 0],
		'/usr/bin/chage': ['regular', '02755', 0, 42],
		'/usr/bin/tool': ['regular', '0755', 0, 0],
		'/var/tmp': ['directory', '01777', 0, 0],
		'/etc/sudoers': ['regular', '0440', 0, 0],
		'/var/lib/own': ['directory', '0700', 101, 102],
		'/var/lib/dpkg/info/mawk.config': ['regular', '0755', 0, 0],
		'/var/lib/dpkg/info/mawk.postinst': ['regular', '0755', 0, 0],
		'/etc/passwd': ['regular', '0644', 0, 0],
		'/etc/shadow': ['regular', '0640', 0, 42],
		'/etc/gshadow': ['regular', '0640', 0, 42],
		'/var/mail': ['directory', '02775', 0, 8],
		'/var/log/btmp': ['regular', '0660', 0, 43],
		'/etc/openvmm/run': ['regular', '0755', 0, 0],
		'/etc/openvmm/configure': ['regular', '0755', 0, 0],
	};
	const found = Object.keys(expected).map((path) => {
		const [, kind, mode] = /Type: (\w+) +Mode: +(\d+)/.exec(debugfs(disk, `stat ${path}`)) ?? [];
		const [, user, group] = /User: +(\d+) +Group: +(\d+)/.exec(debugfs(disk, `stat ${path}`)) ?? [];
		return [path, [kind, mode, Number(user), Number(group)]];
	});
	t.deepEqual(Object.fromEntries(found), expected);
	t.is(debugfs(disk, 'cat /etc/hostname'), 'named\n');
	t.regex(debugfs(disk, 'stats'), /Block count: +\d/);
});

test('a release gives the image its time, and who gives it none of its scripts', async (t) => {
	const {build, folder} = await prepared(t);
	await build({configure: 'none'});
	const whole = await readFile(join(folder, 'whole.zst'));
	const {zstdDecompressSync} = await import('node:zlib');
	const text = zstdDecompressSync(whole).toString('latin1');
	t.false(text.includes('openvmm-configure.service'));
	t.true(text.includes((Date.parse(date) / 1000).toString(16)));
});

test('who gives up at any step leaves nothing behind, and what was there before as it was', async (t) => {
	for (const step of ['packages', 'download', 'unpack', 'write'] as const) {
		const {build, folder, made} = await prepared(t);
		await mkdir(folder, {recursive: true});
		await writeFile(join(folder, 'vmlinuz'), 'the one before');
		const before = await made();
		const asked = new AbortController();
		const progress: ImageOperation['progress'] = (at, done) => {
			if (at === step && (done > 0 || step === 'packages')) asked.abort(new Error('enough'));
		};
		await t.throwsAsync(build({}, {signal: asked.signal, progress}), {code: 'OPERATION_ABORTED'}, step);
		t.deepEqual(await made(), before, step);
		await build();
		t.is(Object.keys(await made()).length, names.length);
	}
});

test('what cannot be built leaves nothing behind', async (t) => {
	const {build, made} = await prepared(t);
	await t.throwsAsync(build({packages: ['gone']}), {code: 'PACKAGE_UNKNOWN'});
	await t.throwsAsync(build({sizeBytes: 2 ** 20 + 1}), {code: 'EXT4_SIZE_INVALID'});
	await t.throwsAsync(build({suite: 'trixie'}), {code: 'MIRROR_FILE_MISSING'});
	await t.throwsAsync(build({keyring: '/gone'}), {code: 'MIRROR_KEYRING_MISSING'});
	t.deepEqual(await made(), {});
});

test('a place where nothing can be written is told', async (t) => {
	const {build} = await prepared(t);
	const files = {kernel: '/dev/null/vmlinuz', initrd: '/dev/null/initrd', disk: '/dev/null/disk'};
	await t.throwsAsync(build({files}), {code: 'IMAGE_WRITE_FAILED', message: /cannot be written: E.*\/dev\/null/});
});

const wrong: readonly Partial<DebianImageBuild>[] = [
	{packages: ['Upper']},
	{packages: ['a b']},
	{hostName: 'a\nb'},
	{hostName: '-a'},
	{suite: '../x'},
	{components: ['main/../..']},
	{modules: ['a.ko']},
	{kernelPackage: ''},
	{base: 'all' as 'standard'},
	{configure: 'later' as 'none'},
	{hypervisor: 'qemu' as 'kvm'},
	{mirrors: [{address: 'http://127.0.0.1/', suite: 'a/b'}]},
];
for (const changes of wrong) {
	test(`what is no name is refused: ${JSON.stringify(changes)}`, async (t) => {
		await t.throwsAsync((await prepared(t)).build(changes), {code: 'CONFIG_VALUE_INVALID'});
	});
}

test('a time that no file can have is refused', async (t) => {
	for (const time of [-1, 0.5, 2 ** 32])
		await t.throwsAsync((await prepared(t)).build({time}), {code: 'CONFIG_NUMBER_RANGE'});
	await t.throwsAsync((await prepared(t)).build({configureSeconds: 0}), {code: 'CONFIG_NUMBER_RANGE'});
});
