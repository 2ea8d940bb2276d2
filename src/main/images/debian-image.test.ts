import {createHash} from 'node:crypto';
import {mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {gunzipSync} from 'node:zlib';
import test, {type ExecutionContext} from 'ava';
import {Apt} from '#main/debian';
import {makeDeb, makeParagraph} from '#main/debian/testing';
import {checkExt4, debugfs, hasExt4Tools} from '#main/ext4/testing';
import {type DebianImageConfig, makeDebianImage} from './debian-image.ts';
import {debs, release} from './testing/made-distribution.ts';

const config: DebianImageConfig = {
	packages: ['tool'],
	base: 'essential',
	kernel: 'linux-image-made',
	modules: ['virtio_rng', 'there_is_none'],
	commands: ['tool'],
	hostName: 'guest',
	time: 1_700_000_000,
	sizeBytes: 2 ** 23,
};

const files = ['disk', 'initrd.gz', 'vmlinuz', 'whole'] as const;

/** Makes an image of {@link debs}. Returns its files by their names, or the error, when it leaves nothing behind. */
async function made(t: ExecutionContext, asked: DebianImageConfig = config) {
	const folder = await mkdtemp(join(tmpdir(), 'image-'));
	t.teardown(() => rm(folder, {recursive: true}));
	const packages = debs.map((deb) => ({deb, bytes: makeDeb(deb)}));
	const list = packages.map(({deb, bytes}) => {
		const sha256 = createHash('sha256').update(bytes).digest('hex');
		return `${makeParagraph(deb)}Size: ${bytes.length}\nSHA256: ${sha256}\n`;
	});
	const apt = new Apt(join(folder, 'apt'), async (_program, words, cwd) => {
		for (const {deb, bytes} of packages)
			if (words.includes(`${deb.name}=1.0-1`)) await writeFile(join(cwd, `${deb.name}_1.0-1_amd64.deb`), bytes);
		return {status: 0, stdout: list.join('\n'), stderr: ''};
	});
	const [disk, initrd, kernel, whole] = files.map((name) => join(folder, name)) as [string, string, string, string];
	try {
		await makeDebianImage(apt, asked, {disk, initrd, kernel, whole});
	} finally {
		t.deepEqual(
			(await readdir(folder)).filter((name) => !files.some((each) => each === name)),
			['apt'],
		);
	}
	return {disk, initrd, kernel, whole};
}

/** What an archive has behind a path, up to its next member. */
function member(archive: Buffer, path: string): string {
	const text = archive.toString('latin1');
	const start = text.indexOf(`${path}\0`);
	return start < 0 ? '' : text.slice(start, text.indexOf('070701', start));
}

test('a kernel, an initial file system and a disk are made of packages', async (t) => {
	const image = await made(t);
	t.is(await readFile(image.kernel, 'utf8'), 'kernel');
	const initrd = gunzipSync(await readFile(image.initrd));
	t.regex(member(initrd, 'bin/busybox'), /busybox\0+busybox/);
	t.regex(member(initrd, 'init'), /modprobe -a crc32c_generic virtio_pci virtio_blk ext4\n/);
	t.regex(
		member(initrd, `lib/modules/${release}/modules.dep`),
		/kernel\/virtio-blk.ko: kernel\/virtio_ring.ko\nkernel\/ext4.ko:\n/,
	);
	const whole = await readFile(image.whole);
	t.regex(member(whole, 'init'), /sbin\/init/);
	t.regex(member(whole, 'etc/passwd'), /root:x:0:0:root:\/root:\/bin\/bash\nmail:x:8:/);
	t.regex(member(whole, 'etc/group'), /root:x:0:\nshadow:x:42:\n/);
	t.regex(member(whole, 'etc/gshadow'), /root:\*::\nshadow:\*::\n/);
	t.regex(member(whole, 'etc/shadow'), /root::19675:0:99999:7:::\nmail:\*:19675:/);
	t.regex(member(whole, 'etc/alternatives/awk'), /\/usr\/bin\/mawk/);
	t.regex(
		member(whole, 'var/lib/dpkg/alternatives/awk'),
		/auto\n\/usr\/bin\/awk\nnawk\n\/usr\/bin\/nawk\n\n\/usr\/bin\/mawk\n5\n\/usr\/bin\/mawk\n\/usr\/bin\/other\n4\n\n\n/,
	);
	t.regex(member(whole, 'var/run'), /\/run/);
	t.regex(member(whole, 'etc/openvmm/run'), /\(\ntool\n\)\n/);
	t.regex(member(whole, 'var/lib/dpkg/status'), /Package: base\nStatus: install ok unpacked\n/);
	const md5 = createHash('md5').update('text').digest('hex');
	t.regex(member(whole, 'var/lib/dpkg/status'), new RegExp(`\nConffiles:\n /etc/base.conf ${md5}\n\n`));
	t.regex(member(whole, 'var/lib/dpkg/status'), /Package: tool\nStatus: install ok installed\n/);
	t.regex(member(whole, 'var/lib/dpkg/info/base:amd64.list'), /\/sbin\/init\n/);
	t.regex(member(whole, `lib/modules/${release}/modules.dep`), /virtio_rng/);
});

const toolTest = hasExt4Tools ? test : test.skip;

toolTest('the disk is an ext4 file system with the system on it', async (t) => {
	const {disk} = await made(t);
	checkExt4(t, disk);
	t.is(debugfs(disk, 'cat /usr/bin/tool'), 'tool');
});

test('the same packages and configuration give the same bytes', async (t) => {
	const [one, two] = await Promise.all([made(t), made(t)]);
	for (const name of ['disk', 'initrd', 'whole'] as const)
		t.true((await readFile(one[name])).equals(await readFile(two[name])), name);
});

test('without commands there is a shell on the console', async (t) => {
	const {commands: _, ...asked} = config;
	const path = 'etc/systemd/system/serial-getty@.service.d/autologin.conf';
	const whole = await readFile((await made(t, asked)).whole);
	t.regex(member(whole, path), /--autologin root/);
	t.is(member(whole, 'etc/openvmm/run'), '');
});

test('what cannot be made is told, and leaves nothing unfinished behind', async (t) => {
	await t.throwsAsync(made(t, {...config, sizeBytes: 2 ** 20 + 1}), {code: 'EXT4_SIZE_INVALID'});
	await t.throwsAsync(made(t, {...config, packages: ['gone']}), {code: 'PACKAGE_UNKNOWN'});
	await t.throwsAsync(made(t, {...config, kernel: 'tool'}), {code: 'IMAGE_KERNEL_MISSING'});
});
