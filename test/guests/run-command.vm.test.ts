import {mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {linuxTest} from '#test/petri';
import {guestWords} from './testing/guest-words.ts';
import {openvmmProgram} from './testing/openvmm-program.ts';

const directory = mkdtempSync(join(tmpdir(), 'openvmm-run-'));
test.after.always(() => rmSync(directory, {recursive: true}));
const env = {...process.env, XDG_RUNTIME_DIR: directory, XDG_CACHE_HOME: join(directory, 'cache'), TMPDIR: directory};
const openvmm = openvmmProgram(env);

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
