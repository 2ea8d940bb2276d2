import {execFile} from 'node:child_process';
import {createHash} from 'node:crypto';
import {createReadStream, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {pipeline} from 'node:stream/promises';
import {promisify} from 'node:util';
import type {ExecutionContext} from 'ava';
import {DebFile} from '#main/debian';
import {checkExt4, hasExt4Tools} from '#main/ext4/testing';
import {makeMirror, makeSigner, serveMirror} from '#main/mirror/testing';
import {backEndHere, reportedFacts, vmTest} from '#test/petri';
import {limitMs} from './user-land/user-land.ts';

const program = join(process.cwd(), 'src/main/cli/launcher.mjs');
const archives = join(process.cwd(), '.packages/apt/archives');

/** What the system says of itself when it is up. */
const commands = [
	'say() { echo "openvmm-guest: $1=$2"; }',
	'say state $(systemctl is-system-running --wait)',
	'say audit "$(dpkg --audit)"',
	'say verified "$(dpkg -V)"',
	'say left $(grep -c "^Status: install ok unpacked" /var/lib/dpkg/status)',
	'say user $(id -nu messagebus)',
	'say trimmed $(systemctl is-enabled fstrim.timer)',
	'say libraries $(ldconfig -p | grep -c libc.so.6)',
	'say policy $(ls /usr/sbin/policy-rc.d 2>/dev/null | wc -l)',
	'say compiled $(ls /usr/lib/python3.11/__pycache__ | grep -c "^os.*pyc")',
];

async function digestOf(path: string): Promise<string> {
	const hash = createHash('sha256');
	await pipeline(createReadStream(path), hash);
	return hash.digest('hex');
}

/** Debian's own packages, as they are on a mirror. */
const packages = () =>
	Promise.all(
		readdirSync(archives)
			.filter((name) => name.endsWith('.deb'))
			.map(async (file, index) => {
				const bytes = readFileSync(join(archives, file));
				const {control} = await DebFile.open(file, bytes);
				return {name: `${index}.deb`, bytes, paragraph: control.text};
			}),
	);

async function prepared(t: ExecutionContext) {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-configure-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const signer = await makeSigner();
	const files = await makeMirror({debs: [], packages: await packages(), signer, suite: 'bookworm'});
	const {address} = await serveMirror(t, files);
	writeFileSync(join(folder, 'keyring'), signer.keyring);
	const run = async (words: readonly string[]) => {
		const env = {...process.env, XDG_CACHE_HOME: folder};
		return (await promisify(execFile)(process.execPath, [program, ...words], {cwd: folder, env})).stdout;
	};
	const usual = ['--base', 'essential', '--packages', 'python3-minimal', '--mirror', address, '--keyring', 'keyring'];
	const guest = [
		'--configure',
		'guest',
		'--hypervisor',
		backEndHere,
		...commands.flatMap((line) => ['--command', line]),
	];
	const build = (out: string) => run(['image', 'build', 'debian', ...usual, ...guest, '--out', out]);
	return {folder, run, build};
}

vmTest(
	'packages are configured while an image is made, twice the same, and its first boot finds all done',
	{on: ['software'], skip: !existsSync(join(process.cwd(), '.packages/user-land/disk.img'))},
	async (t) => {
		t.timeout(limitMs);
		const {folder, run, build} = await prepared(t);
		const line = await build('one');
		await build('two');
		for (const name of ['disk.img', 'initrd.gz', 'vmlinuz'])
			t.is(await digestOf(join(folder, 'one', name)), await digestOf(join(folder, 'two', name)), name);
		t.deepEqual(readdirSync(join(folder, 'one')).toSorted(), ['disk.img', 'initrd.gz', 'vmlinuz']);
		const disk = join(folder, 'one/disk.img');
		if (hasExt4Tools) checkExt4(t, disk);
		const [, ...words] = line.trim().split(' ');
		const output = await run(['--hypervisor', backEndHere, ...words, '-c', 'quiet']);
		t.like(
			reportedFacts(output),
			{
				...{state: 'running', audit: '', verified: '', left: '0', user: 'messagebus', trimmed: 'enabled'},
				...{libraries: '1', policy: '0', compiled: '1', status: '0'},
			},
			output,
		);
		if (hasExt4Tools) checkExt4(t, disk);
	},
);
