import {mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {linuxTest, patience} from '#test/petri';
import {stockFiles} from '#test/stock-kernels';
import {openvmmProgram} from './testing/openvmm-program.ts';

const directory = mkdtempSync(join(tmpdir(), 'openvmm-run-'));
test.after.always(() => rmSync(directory, {recursive: true}));
const env = {...process.env, XDG_RUNTIME_DIR: directory, XDG_CACHE_HOME: join(directory, 'cache'), TMPDIR: directory};
const openvmm = openvmmProgram(env);

/** Words that give a machine Debian's kernel and the tests' initial file system, which has a busybox. */
function guestWords(t: ExecutionContext): string[] {
	t.timeout(600_000);
	const {kernel, initrd} = stockFiles('cloud');
	const cmdline = ['cryptomgr.notests', ...patience].join(' ');
	return ['-m', '512M', '--kernel', kernel, '--initrd', initrd, '--cmdline', cmdline];
}

linuxTest(
	'a command has a machine of its own, with folders, variables and input, and its status is that of openvmm',
	async (t) => {
		const shared = join(directory, 'shared');
		mkdirSync(shared);
		writeFileSync(join(shared, 'from-host'), 'of the host');
		const script = 'busybox cat; echo "$A $B"; busybox cp /mnt/from-host /mnt/from-guest; echo no >&2; exit 7';
		const words = [
			'run',
			'--rm',
			'--interactive',
			'-e',
			'A=a',
			'-e',
			'B',
			'--volume',
			`${shared}:/mnt`,
			...guestWords(t),
		];
		const result = await openvmm([...words, '--', 'sh', '-c', script], {
			input: 'typed\n',
			env: {B: 'b'},
		});
		t.deepEqual(result, {stdout: 'typed\na b\n', stderr: 'no\n', status: 7});
		t.is(readFileSync(join(shared, 'from-guest'), 'utf8'), 'of the host');
		t.deepEqual(readdirSync(join(directory, `openvmm-${process.getuid?.()}`)), [], 'nothing is left of it');
	},
);
