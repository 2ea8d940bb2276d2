import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync} from 'node:fs';
import {get} from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import {showsOnTerminal} from '#main/cli/testing';
import {openImage} from '#main/oci';
import {hasOciPrograms, makeImage, pushImage, realRegistry, writeLayout} from '#main/oci/testing';
import {makeTar} from '#main/tar/testing';
import {linuxTest} from '#test/petri';
import {testFolder} from './testing/api-machine.ts';
import {busyboxSystem} from './testing/busybox-system.ts';
import {guestWords} from './testing/guest-words.ts';
import {freePorts} from './testing/host-network.ts';
import {openvmmProgram} from './testing/openvmm-program.ts';
import {echoed, udpEchoProgram} from './testing/udp-programs.ts';

const launcher = join(process.cwd(), 'src/main/cli/launcher.mjs');

/** The image's own program: says what it is given, serves a page, and ends when it is asked to. */
const program = `id -u; pwd; echo "$GREETING $ADDED $1"; test -e /app/gone || echo none; touch own && ls
cat /mnt/from-host
httpd -p 127.0.0.1:8080 -h /app
trap 'echo asked; exit 9' USR1
echo ready
while :; do sleep 100 & wait; done
`;

async function imageIn(folder: string): Promise<string> {
	const parts = makeImage({
		compression: 'gzip',
		layers: [
			[
				...(await busyboxSystem()),
				// As Debian's systemd-resolved has it, which does not run here.
				{path: 'etc/resolv.conf', type: '2', target: '../run/systemd/resolve/stub-resolv.conf'},
				{path: 'app/', user: 1000, group: 1000},
				{path: 'other/', user: 1001, group: 1001},
				{path: 'app/gone', data: 'gone'},
			],
			[{path: 'app/.wh.gone'}, {path: 'app/page', data: 'page\n'}, {path: 'app/run', data: program, mode: 0o755}],
		],
		config: {
			Entrypoint: ['/bin/sh', '/app/run'],
			Cmd: ['you'],
			Env: ['PATH=/bin', 'GREETING=hello', 'ADDED=nothing'],
			WorkingDir: '/app',
			User: 'app',
			StopSignal: 'SIGUSR1',
		},
	});
	return `oci:${await writeLayout(join(folder, 'layout'), {v1: parts})}`;
}

linuxTest(
	'an image of containers is the root of a machine, which runs its command as it and the line say',
	async (t) => {
		const folder = mkdtempSync(join(tmpdir(), 'openvmm-oci-'));
		t.teardown(() => rmSync(folder, {recursive: true, force: true}));
		const env = {...process.env, XDG_RUNTIME_DIR: folder, XDG_CACHE_HOME: join(folder, 'kernels'), TMPDIR: folder};
		const openvmm = openvmmProgram(env);
		const [image, cache, shared] = [await imageIn(folder), join(folder, 'cache'), join(folder, 'shared')];
		mkdirSync(shared);
		writeFileSync(join(shared, 'from-host'), 'of the host\n');
		const opened = await openImage({image, cache});
		if (opened.kind !== 'root') throw new Error(opened.kind);
		const before = start(opened.path);

		const asked = ['--name', 'box', '-e', 'ADDED=more', '-w', '/other', '-u', '1001:1001', '-v', `${shared}:/mnt:ro`];
		const words = ['run', '--rm', ...asked, '-p', '0:8080', '-p', '0:7/udp', '--cache', cache, ...guestWords(t), image];
		const child = spawn(process.execPath, [launcher, ...words], {env, stdio: ['ignore', 'pipe', 'pipe']});
		t.teardown(() => child.kill('SIGKILL'));
		const stderr = text(child.stderr);
		const ended = once(child, 'close');
		let stdout = '';
		child.stdout.on('data', (bytes: Buffer) => (stdout += bytes));
		while (!stdout.endsWith('ready\n')) {
			await Promise.race([once(child.stdout, 'data'), ended]);
			t.is(child.exitCode, null, stdout);
		}

		// The ports are any that were free.
		const [row] = JSON.parse((await openvmm(['ps', '--json'])).stdout) as [{name: string; ports: string[]}];
		const [, port] = /^127\.0\.0\.1:(\d+)->8080\/tcp$/.exec(row.ports[0] ?? '') ?? [];
		t.true(Number(port) > 0, JSON.stringify(row));
		t.regex(row.ports[1] ?? '', /^127\.0\.0\.1:[1-9]\d*->7\/udp$/);
		t.is(await page(`http://127.0.0.1:${port}/page`), 'page\n');

		// What is not said is as the image says it.
		const said = await openvmm([
			'exec',
			'box',
			'sh',
			'-c',
			'id -un; pwd; echo $GREETING $ADDED; cat /etc/hosts /etc/resolv.conf; sync',
		]);
		const local = ['127.0.0.1\tlocalhost', '::1\tlocalhost ip6-localhost ip6-loopback'];
		const names = [...local, '10.0.0.2\tbox', 'nameserver 10.0.0.1'];
		t.is(said.stdout, `${['app', '/app', 'hello nothing', ...names].join('\n')}\n`, said.stderr);
		const written = await openvmm(['exec', '-u', 'root', 'box', 'touch', '/mnt/own']);
		t.regex(written.stderr, /Read-only file system/);

		// A terminal: its size, which changes, and its keys.
		const sized = join(folder, 'sized');
		const inside =
			'trap "echo caught; exit 6" INT; stty size; until stty size | grep -q "33 101"; do sleep 0.1; done; echo changed; while :; do sleep 0.1; done';
		const later = `(while ! test -e ${sized}; do sleep 0.1; done; stty -F $T cols 101 rows 33)`;
		const exec = `XDG_RUNTIME_DIR=${folder} ${process.execPath} ${launcher} exec -it box sh -c '${inside}'`;
		const shown = await showsOnTerminal(`T=$(tty); stty cols 90 rows 30; ${later} & ${exec}; echo status $?`, [
			['30 90', () => writeFileSync(sized, '')],
			['changed', () => undefined],
			// An interrupt has the terminal drop what it has not shown yet, a line's end too.
			['\n', '\x03'],
		]);
		t.regex(shown, /30 90\s.*changed\s.*caught\s.*status 6\s/s);

		const stopped = await openvmm(['stop', 'box', '--time', '300', '--json']);
		t.deepEqual(JSON.parse(stopped.stdout), [{name: 'box', by: 'command'}], stopped.stderr);
		await ended;
		t.is(child.exitCode, 9, await stderr);
		t.is(stdout, '1001\n/other\nhello more you\nnone\nown\nof the host\nready\nasked\n');
		t.is(await stderr, '');
		t.true(start(opened.path).equals(before), 'what the guest writes is its own');
	},
);

linuxTest(
	'an image of a registry has a terminal of its own, and a port of UDP',
	async (t) => {
		const folder = testFolder(t, 'registry');
		const udp = {path: 'bin/udp-echo', data: udpEchoProgram(7), mode: 0o755};
		const config = {Cmd: ['/bin/sh'], Env: ['PATH=/bin']};
		const parts = makeImage({compression: 'gzip', layers: [await busyboxSystem(), [udp]], config});
		const host = await realRegistry(t, folder);
		await pushImage(await writeLayout(join(folder, 'layout'), {v1: parts}), 'v1', `http://${host}/v2/app`);
		const shared = testFolder(t, 'shared');
		const [port] = (await freePorts(1)) as [number];
		const inside =
			'stty size; udp-echo & echo listens; until test -e /mnt/echoed; do sleep 0.1; done; echo answered; read line; echo "got $line"; exit 7';
		const words = [
			'run',
			'-it',
			'--rm',
			'-v',
			`${shared}:/mnt:ro`,
			'-p',
			`${port}:7/udp`,
			'--cache',
			join(folder, 'cache'),
		];
		const script = join(folder, 'script');
		const quoted = [...words, ...guestWords(t), `${host}/app:v1`, 'sh', '-c', inside].map((word) => `'${word}'`);
		const env = `XDG_RUNTIME_DIR=${folder} XDG_CACHE_HOME=${folder}`;
		writeFileSync(
			script,
			`stty cols 90 rows 30\n${env} ${process.execPath} ${launcher} ${quoted.join(' ')}\necho status $?\n`,
		);
		let answer: Promise<unknown> | undefined;
		const asks = () => {
			answer = echoed(t, port, 'word').then((said) => writeFileSync(join(shared, 'echoed'), said));
		};
		const shown = await showsOnTerminal(`sh ${script}`, [
			['listens', asks],
			['answered', 'typed\r'],
		]);
		t.regex(shown, /30 90\s[\s\S]*answered\s[\s\S]*got typed\s+status 7\s/, shown);
		await answer;
		t.is(readFileSync(join(shared, 'echoed'), 'utf8'), 'word');
	},
	{skip: !hasOciPrograms()},
);

linuxTest('an archive of a root file system is one, too', async (t) => {
	const folder = testFolder(t, 'tar');
	const env = {...process.env, XDG_RUNTIME_DIR: folder, XDG_CACHE_HOME: folder};
	const path = join(folder, 'root.tar');
	writeFileSync(path, makeTar([...(await busyboxSystem()), {path: 'etc/said', data: 'of the archive\n'}]));
	const words = ['run', '--rm', '--cache', join(folder, 'cache'), ...guestWords(t), path, '/bin/cat', '/etc/said'];
	t.deepEqual(await openvmmProgram(env)(words), {stdout: 'of the archive\n', stderr: '', status: 0});
});

/** What a file system has at its start: its superblock, which each mount of it writes, and what follows. */
function start(path: string): Buffer {
	const fd = openSync(path, 'r');
	const bytes = Buffer.alloc(2 ** 20);
	readSync(fd, bytes);
	closeSync(fd);
	return bytes;
}

function page(address: string): Promise<string> {
	return new Promise((resolve, reject) => {
		get(address, {agent: false}, (response) => text(response).then(resolve, reject)).on('error', reject);
	});
}
