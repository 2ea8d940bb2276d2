import {mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {MadeDeb} from '#main/debian/testing';
import {makeMirror, makeSigner, serveMirror} from '#main/mirror/testing';
import {openPackages} from '#main/package-root';
import {linuxTest, patience} from '#test/petri';
import {openvmmProgram} from './testing/openvmm-program.ts';
import {stockPackages} from './testing/stock-packages.ts';

const greeter: MadeDeb = {
	name: 'greeter',
	fields: ['Depends: busybox-static'],
	files: [
		{
			path: './usr/bin/greeter',
			data: '#!/bin/busybox sh\necho "$1 from $(busybox hostname)"; busybox ip route; busybox cat /etc/resolv.conf; exit 5\n',
			mode: 0o755,
		},
	],
};

linuxTest('a command of packages has a machine of its own, all of it from one mirror, once', async (t) => {
	t.timeout(600_000);
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-run-packages-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	const env = {...process.env, XDG_RUNTIME_DIR: folder, XDG_CACHE_HOME: join(folder, 'cache'), TMPDIR: folder};
	const openvmm = openvmmProgram(env);
	const signer = await makeSigner();
	const files = await makeMirror({debs: [greeter], packages: await stockPackages(), signer, suite: 'bookworm'});
	const {address, asked} = await serveMirror(t, files);
	const keyring = join(folder, 'keyring');
	writeFileSync(keyring, signer.keyring);
	const source = ['--packages', 'greeter', '--mirror', address, '--keyring', keyring];
	const machine = ['--rm', '--name', 'here', '-m', '512M', '--cmdline', ['cryptomgr.notests', ...patience].join(' ')];
	const result = await openvmm(['run', ...source, ...machine, '--', 'greeter', 'hello']);
	// The kernel has the network's driver as a module, and the root no client of DHCP.
	t.is(
		result.stdout.replaceAll(/ +/g, ' '),
		`hello from here
default via 10.0.0.1 dev eth0\x20
10.0.0.0/24 dev eth0 scope link src 10.0.0.2\x20
nameserver 10.0.0.1
`,
	);
	t.is(result.stderr, '');
	t.is(result.status, 5);
	t.deepEqual(
		asked.filter((path, index) => path.endsWith('.deb') && asked.indexOf(path) !== index),
		[],
		'nothing is fetched twice',
	);
	const before = asked.length;
	const request = {packages: ['greeter'], mirrors: [{address}], keyring, cache: join(folder, 'cache/openvmm/images')};
	const {path} = await openPackages(request);
	t.deepEqual(readdirSync(join(request.cache, 'roots')), [path.split('/').at(-1)]);
	t.is(asked.length, before, 'the cache knows what it has');
	t.is((await openPackages({...request, pull: 'always'})).path, path, 'the same packages are the same root');
	t.regex(
		(await openvmm(['image', 'ls'])).stdout,
		/^packages:greeter \(required; http:.* bookworm; keyring sha256:[0-9a-f]{64}\) /m,
	);
	await t.throwsAsync(openPackages({...request, packages: ['nothing'], pull: 'never'}), {code: 'OCI_IMAGE_UNKNOWN'});
	writeFileSync(keyring, (await makeSigner()).keyring);
	await t.throwsAsync(
		openPackages(request),
		{code: 'MIRROR_SIGNER_UNKNOWN'},
		'what one keyring vouches for another does not',
	);
	const both = await openvmm(['run', ...source, 'debian:12', 'true']);
	t.is(both.status, 125);
	t.regex(both.stderr, /--packages conflicts with the image debian:12, unless -- is before the command\./);
});
