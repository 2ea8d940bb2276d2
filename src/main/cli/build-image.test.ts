import {spawn} from 'node:child_process';
import {mkdtemp, readdir, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import test, {type ExecutionContext} from 'ava';
import {systemDebs} from '#main/images/testing';
import {type Answer, makeMirror, makeSigner, serveMirror} from '#main/mirror/testing';
import {bootLine, buildImage, imageBuild, progressLine} from './build-image.ts';
import {parseCommandLine} from './parse.ts';
import type {Environment} from './to-config.ts';

/** What a command line asks for. */
function asked(words: string, env: Environment = {}) {
	const line = parseCommandLine(`image build debian ${words}`.trim().split(' '));
	if (line.command !== 'image build') throw new Error(line.command);
	return imageBuild(line.flags, env);
}

const files = {kernel: 'debian/vmlinuz', initrd: 'debian/initrd.gz', disk: 'debian/disk.img'};

test('without a flag, what is built has its places and nothing else', (t) => {
	t.deepEqual(asked(''), {files});
	t.is(bootLine(asked('')), 'openvmm -k debian/vmlinuz -r debian/initrd.gz --virtio-blk file:debian/disk.img -m 1G');
});

test('each flag has its place in what is built', (t) => {
	t.deepEqual(
		asked(
			'--packages a,b --packages=c --components main,contrib --modules m --base important --suite trixie ' +
				'--mirror http://a/ --mirror file:///b,suite=s,components=x:y --keyring k --cache c --kernel-package l ' +
				'--hostname h --command one --command two --configure guest --configure-limit 90 --hypervisor software --size 2G --time 7 ' +
				'--out o --disk d --whole w.zst',
		),
		{
			packages: ['a', 'b', 'c'],
			components: ['main', 'contrib'],
			modules: ['m'],
			mirrors: [{address: 'http://a/'}, {address: 'file:///b', suite: 's', components: ['x', 'y']}],
			commands: ['one', 'two'],
			base: 'important',
			configure: 'guest',
			configureSeconds: 90,
			hypervisor: 'software',
			suite: 'trixie',
			keyring: 'k',
			cache: 'c',
			kernelPackage: 'l',
			hostName: 'h',
			sizeBytes: 2 ** 31,
			time: 7,
			files: {kernel: 'o/vmlinuz', initrd: 'o/initrd.gz', disk: 'd', whole: 'w.zst'},
		},
	);
});

test('the time of reproducible builds is taken, and a flag before it', (t) => {
	t.is(asked('', {SOURCE_DATE_EPOCH: '5'}).time, 5);
	t.is(asked('--time 6', {SOURCE_DATE_EPOCH: '5'}).time, 6);
	t.throws(() => asked('', {SOURCE_DATE_EPOCH: 'now'}), {code: 'CONFIG_VALUE_INVALID', message: /SOURCE_DATE_EPOCH/});
	t.throws(() => asked('--size big'), {code: 'CONFIG_VALUE_INVALID'});
	t.throws(() => asked('--mirror http://a/,key=b'), {code: 'CONFIG_KEY_UNKNOWN'});
});

test('other words than those of the command are refused', async (t) => {
	const flags = {has: () => false, last: () => undefined, all: () => []};
	await t.throwsAsync(buildImage([], flags, {}), {code: 'CLI_ARGUMENT_MISSING'});
	await t.throwsAsync(buildImage(['fedora'], flags, {}), {code: 'CLI_WORD_UNKNOWN', message: /debian/});
});

test('what a shell would take apart is quoted', (t) => {
	const build = {files: {kernel: "it's", initrd: 'a b', disk: '$x'}};
	t.is(bootLine(build), String.raw`openvmm -k 'it'\''s' -r 'a b' --virtio-blk 'file:$x' -m 1G`);
});

test('a terminal has one line that changes, and a file one for each step', (t) => {
	const said = (isTerminal: boolean) => {
		let all = '';
		let seconds = 0;
		const {show, end} = progressLine(
			isTerminal,
			(text) => {
				all += text;
			},
			() => 1000 * seconds,
		);
		show('packages', 0, 0);
		for (const done of [0, 2 ** 19, 2 ** 20, 2 ** 21]) {
			show('download', done, 2 ** 21);
			seconds += 2;
		}
		show('configure', 0, 40);
		seconds += 3;
		show('configure', 20, 40);
		end();
		return all.split(isTerminal ? '\r' : '\n').map((line) => line.replace('\x1b[K', ''));
	};
	t.deepEqual(said(true), [
		'',
		'openvmm: reads the package lists',
		'openvmm: downloads packages (2 MB)…',
		'openvmm: downloads packages (2 MB): 25 %, 6 s left',
		'openvmm: downloads packages (2 MB): 50 %, 4 s left',
		'openvmm: downloads packages (2 MB): 100 %',
		'openvmm: configures packages in a guest (40)…',
		'openvmm: configures packages in a guest (40): 50 %, 3 s left',
		'',
	]);
	t.deepEqual(said(false), [
		'openvmm: reads the package lists',
		'openvmm: downloads packages (2 MB)',
		'openvmm: configures packages in a guest (40)',
		'',
	]);
});

/** Runs the command against a mirror on loopback. */
async function run(t: ExecutionContext, answer?: Answer) {
	const folder = await mkdtemp(join(tmpdir(), 'build-command-'));
	t.teardown(() => rm(folder, {recursive: true}));
	const signer = await makeSigner();
	const {address} = await serveMirror(t, await makeMirror({debs: systemDebs, signer, suite: 'bookworm'}), answer);
	await writeFile(join(folder, 'keyring'), signer.keyring);
	const words = ['--base', 'essential', '--mirror', address, '--keyring', 'keyring', '--cache', 'cache'];
	const main = join(process.cwd(), 'src/main/cli/main.ts');
	const tsx = import.meta.resolve('tsx');
	const child = spawn(process.execPath, ['--import', tsx, main, 'image', 'build', 'debian', ...words], {cwd: folder});
	const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
	const output = Promise.all([text(child.stdout), text(child.stderr), ended]);
	return {folder, child, output};
}

test('the command makes an image and says how it boots', async (t) => {
	const {folder, output} = await run(t);
	const [stdout, stderr, status] = await output;
	t.is(status, 0, stderr);
	t.is(stdout, 'openvmm -k debian/vmlinuz -r debian/initrd.gz --virtio-blk file:debian/disk.img -m 1G\n');
	t.regex(stderr, /^openvmm: reads the package lists\n[\s\S]*openvmm: writes the files \(1 MB\)\n$/);
	t.deepEqual((await readdir(join(folder, 'debian'))).sort(), ['disk.img', 'initrd.gz', 'vmlinuz']);
});

test('Ctrl-C ends the command, and leaves nothing of an image', async (t) => {
	const begun = Promise.withResolvers<void>();
	const {folder, child, output} = await run(t, (request) => {
		if (request.url?.endsWith('.deb') !== true) return false;
		begun.resolve();
		return true;
	});
	await begun.promise;
	child.kill('SIGINT');
	const [stdout, , status] = await output;
	t.is(status, 130);
	t.is(stdout, '');
	t.deepEqual(await readdir(join(folder, 'debian')), []);
});

test('what a mirror does wrong is one line, with its code and status', async (t) => {
	const {output} = await run(t, (_, response) => response.end('no release') !== undefined);
	const [stdout, stderr, status] = await output;
	t.is(status, 11);
	t.is(stdout, '');
	t.regex(stderr, /\nopenvmm: http:\S+InRelease is not signed [^\n]* \[MIRROR_SIGNATURE_MISSING\]\n$/);
});
