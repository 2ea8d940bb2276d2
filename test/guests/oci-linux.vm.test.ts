import {createHash} from 'node:crypto';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {VM} from '#main/api';
import {DebFile} from '#main/debian';
import {openImage} from '#main/oci';
import {makeImage, writeLayout} from '#main/oci/testing';
import {gather} from '#main/tar';
import {backEndHere, linuxTest, patience, type X86BackEnd} from '#test/petri';
import {stockFiles} from '#test/stock-kernels';

const packages = join(process.cwd(), '.packages');

/** Debian's static busybox, from the package that the tests' guests have it of. */
async function busybox(): Promise<Uint8Array> {
	const {busybox: paths} = JSON.parse(readFileSync(join(packages, 'packages.json'), 'utf8')) as {busybox: string[]};
	const deb = await DebFile.open('busybox-static', readFileSync(join(packages, paths[0] as string)));
	for await (const {path, content} of deb.members()) if (/\/bin\/busybox$/.test(path)) return await gather(content);
	throw new Error('busybox-static has no busybox');
}

linuxTest('an image of containers is the root of a machine, which runs its command as it says', async (t) => {
	t.timeout(600_000);
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-oci-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	const applets = ['sh', 'id', 'cat', 'echo', 'pwd', 'ls', 'touch', 'sync', 'test'];
	const parts = makeImage({
		compression: 'gzip',
		layers: [
			[
				{path: 'bin/busybox', data: await busybox(), mode: 0o755},
				...applets.map((name) => ({path: `bin/${name}`, type: '1', target: 'bin/busybox'})),
				{path: 'etc/passwd', data: 'root:x:0:0::/:/bin/sh\napp:x:1000:1000::/app:/bin/sh\n'},
				{path: 'etc/group', data: 'root:x:0:\napp:x:1000:\n'},
				// As Debian's systemd-resolved has it, which does not run here.
				{path: 'etc/resolv.conf', type: '2', target: '../run/systemd/resolve/stub-resolv.conf'},
				{path: 'app/', user: 1000, group: 1000},
				{path: 'app/gone', data: 'gone'},
			],
			[
				{path: 'app/.wh.gone'},
				{
					path: 'app/run',
					data: 'id -un; pwd; echo "$GREETING $1"; test -e gone || echo none; touch own && ls\n',
					mode: 0o755,
					user: 1000,
				},
			],
		],
		config: {
			Entrypoint: ['/bin/sh', '/app/run'],
			Cmd: ['you'],
			Env: ['PATH=/bin', 'GREETING=hello'],
			WorkingDir: '/app',
			User: 'app',
		},
	});
	const request = {
		image: `oci:${await writeLayout(join(folder, 'layout'), {v1: parts})}`,
		cache: join(folder, 'cache'),
		freeBytes: 2 ** 26,
	};
	const opened = await openImage(request);
	if (opened.kind !== 'root') throw new Error(opened.kind);
	const digest = () => createHash('sha256').update(readFileSync(opened.path)).digest('hex');
	const before = digest();
	const {kernel, initrd} = stockFiles('cloud');
	const vm = await VM.create({
		image: request,
		kernel: {kernel, cache: join(folder, 'kernels')},
		initrd,
		memory: '512M',
		name: 'box',
		machine: {hypervisor: backEndHere as X86BackEnd},
		commandLine: ['cryptomgr.notests', ...patience],
		startTimeout: 500_000,
	});
	t.teardown(() => vm[Symbol.asyncDispose]());
	const [program = '', ...words] = [...opened.config.entrypoint, ...opened.config.cmd];
	const {stdout, stderr, exitCode} = await vm.exec([program, ...words]);
	t.is(`${stdout}`, 'app\n/app\nhello you\nnone\nown\nrun\n', `${stderr}`);
	t.is(exitCode, 0);
	const {stdout: names} = await vm.exec(['/bin/cat', '/etc/hosts', '/etc/resolv.conf']);
	const local = ['127.0.0.1\tlocalhost', '::1\tlocalhost ip6-localhost ip6-loopback'];
	t.is(names, `${[...local, '10.0.0.2\tbox', 'nameserver 10.0.0.1'].join('\n')}\n`);
	await vm.exec('sync');
	t.is(digest(), before, 'what the guest writes is its own');
});
