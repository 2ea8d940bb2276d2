import {mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {linuxTest} from '#test/petri';
import {guestWords} from './testing/guest-words.ts';
import {onLoopback} from './testing/host-network.ts';
import {openvmmProgram} from './testing/openvmm-program.ts';

const directory = mkdtempSync(join(tmpdir(), 'openvmm-run-'));
test.after.always(() => rmSync(directory, {recursive: true}));
const env = {...process.env, XDG_RUNTIME_DIR: directory, XDG_CACHE_HOME: join(directory, 'cache'), TMPDIR: directory};
const openvmm = openvmmProgram(env);

linuxTest(
	'a command has a machine of its own, with folders, variables, input and a network, and its status is that of openvmm',
	async (t) => {
		const shared = join(directory, 'shared');
		mkdirSync(shared);
		writeFileSync(join(shared, 'from-host'), 'of the host');
		const server = createServer((socket) => void socket.on('error', () => {}).end('of a server\n'));
		const port = await onLoopback(t, server);
		const capture = join(directory, 'frames.pcapng');
		const folders = 'busybox cat; echo "$A $B"; busybox cp /mnt/from-host /mnt/from-guest; echo no >&2';
		const script = `${folders}; busybox nc 10.0.0.1 80; busybox nc 10.1.2.3 80 </dev/null 2>/dev/null || exit 7`;
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
			...['--closed', 'private', '--guestfwd', `tcp::80-127.0.0.1:${port}`, '--capture', capture],
			...guestWords(t),
		];
		const result = await openvmm([...words, '--', 'sh', '-c', script], {
			input: 'typed\n',
			env: {B: 'b', OPENVMM_LOG: 'info'},
		});
		const {stdout, stderr, status} = result;
		t.deepEqual({stdout, status}, {stdout: 'typed\na b\nof a server\n', status: 7});
		const isLogged = (line: string) => line.startsWith('openvmm: info: ');
		const lines = stderr.split('\n');
		t.deepEqual(
			lines.filter((line) => !isLogged(line)),
			['no', ''],
		);
		t.regex(lines.filter(isLogged).join('\n'), /net: The network refuses .* tcp 10\.1\.2\.3 port 80: private networks/);
		t.deepEqual([...readFileSync(capture).subarray(0, 4)], [0x0a, 0x0d, 0x0d, 0x0a], 'the magic number of pcapng');
		t.is(readFileSync(join(shared, 'from-guest'), 'utf8'), 'of the host');
		t.deepEqual(readdirSync(join(directory, `openvmm-${process.getuid?.()}`)), [], 'nothing is left of it');
	},
);
