import {execFile} from 'node:child_process';
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import type {ExecutionContext} from 'ava';
import {DebFile} from '#main/debian';
import {makeMirror, makeSigner, serveMirror} from '#main/mirror/testing';
import {backEndHere} from '#test/petri';

const program = join(process.cwd(), 'src/main/cli/launcher.mjs');
const archives = join(process.cwd(), '.packages/apt/archives');

/** What the system says of itself when it is up. */
export const commands = [
	'say() { echo "openvmm-guest: $1=$2"; }',
	'say state $(systemctl is-system-running --wait)',
	'say audit "$(dpkg --audit)"',
	'say verified "$(dpkg -V)"',
	'say left $(grep -c "^Status: install ok unpacked" /var/lib/dpkg/status)',
	'say user $(id -nu messagebus)',
	'say trimmed $(systemctl is-enabled fstrim.timer)',
	'say libraries $(ldconfig -p | grep -c libc.so.6)',
	'say policy $(ls /usr/sbin/policy-rc.d 2>/dev/null | wc -l)',
];
/** What of {@link commands} is so in a system whose packages are configured, whoever has done it. */
export const configured = {
	...{state: 'running', audit: '', verified: '', left: '0', user: 'messagebus', trimmed: 'enabled'},
	...{libraries: '1', policy: '0', status: '0'},
};
/** False where packages were not fetched. */
export const hasPackages = (): boolean => existsSync(join(process.cwd(), '.packages/user-land/disk.img'));

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

/** A mirror of Debian's packages, and the command, which makes images of them and boots these. */
export async function prepared(t: ExecutionContext) {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-configure-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const signer = await makeSigner();
	const files = await makeMirror({debs: [], packages: await packages(), signer, suite: 'bookworm'});
	const {address} = await serveMirror(t, files);
	writeFileSync(join(folder, 'keyring'), signer.keyring);
	const command = async (words: readonly string[]) => {
		const env = {...process.env, XDG_CACHE_HOME: folder};
		return (await promisify(execFile)(process.execPath, [program, ...words], {cwd: folder, env})).stdout;
	};
	const usual = ['--base', 'essential', '--mirror', address, '--keyring', 'keyring'];
	const build = (out: string, lines: readonly string[], more: readonly string[] = []) => {
		const run = lines.flatMap((line) => ['--command', line]);
		return command(['image', 'build', 'debian', ...usual, ...more, ...run, '--out', out]);
	};
	/** Boots by the line that a build prints. */
	const boot = (line: string) =>
		command(['--hypervisor', backEndHere, ...line.trim().split(' ').slice(1), '-c', 'quiet']);
	return {folder, build, boot};
}
