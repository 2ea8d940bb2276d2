import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import test from 'ava';
import {readCommandFlags} from './command-options.ts';
import {commands} from './commands.ts';
import {parsePlace} from './copy.ts';
import {parseMoment} from './logs.ts';
import {duration} from './machine-list.ts';
import {parseCommand} from './parse.ts';
import {printable} from './print.ts';
import {howFar} from './progress-line.ts';
import {parsePort, parseVolumes, portText} from './publish.ts';
import {restoreWords} from './restore-words.ts';
import {networkOf} from './run-network.ts';
import {tenths} from './tenths.ts';

test('a port is for this host alone unless an address is said', (t) => {
	t.is(portText(parsePort('8080:80')), '127.0.0.1:8080->80/tcp');
	t.is(portText(parsePort('0.0.0.0:5353:53/udp')), '0.0.0.0:5353->53/udp');
	t.is(portText(parsePort('[::1]:0:80')), '[::1]:0->80/tcp');
	for (const wrong of [
		'80',
		'80:',
		':80',
		'1:0',
		'65536:1',
		'1:65536',
		'host:1:2',
		'999.1.1.1:1:2',
		'1:2/sctp',
		'[::1:1:2',
		'',
	])
		t.throws(() => parsePort(wrong), {code: 'CONFIG_VALUE_INVALID', message: /--publish/});
});

test('a volume is a folder of the host by a path of the guest', (t) => {
	t.deepEqual(parseVolumes(['/a:/b', '/c:/d:ro']), {
		'/b': {folder: '/a', readOnly: false},
		'/d': {folder: '/c', readOnly: true},
	});
	t.deepEqual(parseVolumes(['/a:/b:dax=1G', '/c:/d:ro,dax=2M']), {
		'/b': {folder: '/a', readOnly: false, dax: '1G'},
		'/d': {folder: '/c', readOnly: true, dax: '2M'},
	});
	for (const wrong of ['/a', ':/b', '/a:b', '/a:/b:rx', '/a:/b:ro:z', '/a:/b:', '/a:/b:dax', '/a:/b:ro;dax=1G'])
		t.throws(() => parseVolumes([wrong]), {code: 'CONFIG_VALUE_INVALID'});
});

test('a network is open but for the host unless flags say otherwise, and none has no use for them', (t) => {
	const network = (...words: string[]) =>
		networkOf(parseCommand(words, commands().get('run') ?? {flags: []}, '').flags, []);
	t.deepEqual(network(), {});
	t.deepEqual(
		network(
			...['--allow', '*.example.com:443', '--allow', '10.1.2.3', '--closed', 'private'],
			...[
				'--guestfwd',
				'tcp::80-:8080',
				'--guestfwd',
				'udp:10.0.0.9:53-[::1]:5353',
				'--capture',
				'frames.pcapng',
				'--decisions',
				'log',
			],
		),
		{
			allow: ['*.example.com:443', '10.1.2.3'],
			closed: 'private',
			guestForwards: [
				{protocol: 'tcp', address: undefined, port: 80, target: {address: '127.0.0.1', port: 8080}},
				{protocol: 'udp', address: '10.0.0.9', port: 53, target: {address: '::1', port: 5353}},
			],
			capture: 'frames.pcapng',
			decisions: 'log',
		},
	);
	for (const [flag, wrong] of Object.entries({allow: 'a b', closed: 'some', guestfwd: '80:8080', net: 'bridge'}))
		t.throws(() => network(`--${flag}`, wrong), {code: 'CONFIG_VALUE_INVALID', message: new RegExp(`--${flag}`)}, flag);
	t.is(network('--net', 'none'), false);
	const lan = {kind: 'switch', name: 'lan', listen: '/tmp/lan'};
	t.deepEqual(network('--net', 'switch:lan,listen=/tmp/lan'), {endpoint: lan});
	const stream = {kind: 'stream', path: '/tmp/lan', listens: false};
	t.deepEqual(network('--net', 'stream:connect=/tmp/lan', '--capture', 'x'), {endpoint: stream, capture: 'x'});
	t.deepEqual(network('--net', 'consomme'), {endpoint: {kind: 'consomme'}});
	t.throws(() => network('--net', 'bridge:br0'), {code: 'CONFIG_VALUE_INVALID', message: /--net "bridge:br0"/});
	const ofPolicy = {allow: '*', closed: 'all', guestfwd: 'tcp::80-:8080', decisions: 'x'};
	for (const [flag, value] of Object.entries({...ofPolicy, capture: 'x'}))
		t.throws(() => network('--net', 'none', `--${flag}`, value), {code: 'CLI_FLAG_NEEDS', message: new RegExp(flag)});
	for (const [flag, value] of Object.entries(ofPolicy))
		t.throws(() => network('--net', 'switch:lan', `--${flag}`, value), {
			code: 'CLI_FLAGS_CONFLICT',
			message: new RegExp(`--net switch:lan .*--${flag}`),
		});
});

test('a place is a path of the host unless a machine is in front of it', (t) => {
	t.deepEqual(parsePlace('web:/etc/x:y'), {machine: 'web', path: '/etc/x:y'});
	for (const path of ['./web:/x', '/a:b', '../a:b', '~/a:b', 'file', '-'])
		t.deepEqual(parsePlace(path), {machine: undefined, path});
});

test('a moment is how long ago, or a date', (t) => {
	const now = Date.parse('2026-01-31T12:00:00Z');
	t.is(parseMoment('90', '', now), now - 90_000);
	t.is(parseMoment('10m', '', now), now - 600_000);
	t.is(parseMoment('2h', '', now), now - 7_200_000);
	t.is(parseMoment('2026-01-30T12:00:00Z', '', now), now - 86_400_000);
	for (const wrong of ['', 'yesterday', '1w', '-1s'])
		t.throws(() => parseMoment(wrong, '--since', now), {code: 'CONFIG_VALUE_INVALID'});
});

test('a machine of a snapshot is given again what the line of the first says of its host, by whole paths', async (t) => {
	const again = async (...words: string[]) => {
		const {flags, words: found} = parseCommand(words, commands().get('run') ?? {flags: []}, '');
		return (await restoreWords(flags, found[0] ?? '', '/saved')).join(' ');
	};
	t.is(await again(), 'openvmm run --restore /saved');
	t.is(
		await again(
			...['-d', '-it', '--name', 'web', '-m', '2G', '-p', '0:80', '-v', 'site:/www:ro', '--capture', 'frames'],
			...['--allow', 'a.example', '-e', 'A=b', '--cache', 'images', '-v', '/a:/b', 'nginx:1', 'nginx', '-v'],
		),
		`openvmm run --restore /saved --volume ${resolve('site')}:/www:ro --volume /a:/b --publish 0:80 --allow a.example --cache ${resolve('images')} nginx:1`,
	);
	t.is(
		await again('--net', 'none', '--packages', 'jq', '--', 'jq'),
		'openvmm run --restore /saved --packages jq --net none',
	);
	for (const [image, whole] of [
		['debian:12', 'debian:12'],
		['root.qcow2', resolve('root.qcow2')],
		['tar:tar', `tar:${resolve('tar')}`],
		['oci:./layout#app:v1', `oci:${resolve('layout')}#app:v1`],
		['folder:/srv/root', 'folder:/srv/root'],
		['~/root', '~/root'],
	] as const)
		t.is(await again(image), `openvmm run --restore /saved ${whole}`);
});

test('times and progress are said as people say them', (t) => {
	t.deepEqual([0, 119, 120, 7199, 7200, 172_800].map(duration), ['0 s', '119 s', '2 min', '119 min', '2 h', '2 days']);
	t.is(howFar(0, 0, 5000), '… 5 s');
	t.is(howFar(50, 200, 2000), ': 25 %, 6 s left');
	t.is(howFar(200, 200, 2000), ': 100 %');
	const said: string[] = [];
	let seconds = 0;
	const tell = tenths(
		(text) => said.push(text),
		() => 1000 * seconds,
	);
	for (const done of [0, 5, 10, 19, 50, 100]) {
		tell(done, 100);
		seconds += 2;
	}
	t.deepEqual(said, ['10 %, 36 s left', '50 %, 8 s left', '100 %']);
});

test('what a terminal obeys is not printed', (t) => {
	t.is(printable('a\x1b[2Jb\nc\x9bd\u202ee ä 🐧'), 'a [2Jb c d e ä 🐧');
});

test('variables come from the line, from files and from this process', (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-env-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const file = join(folder, 'env');
	writeFileSync(file, '# comment\r\n\r\nA=of the file\r\n  B=b=c\nHERE\nNOWHERE\nE=\n');
	const run = commands().get('run');
	const env = (...words: string[]) =>
		readCommandFlags(parseCommand(words, run ?? {flags: []}, '').flags, {HERE: 'here'}).env;
	t.deepEqual(env('--env-file', file, '-e', 'A=of the line', '-e', 'HERE'), {
		A: 'of the line',
		B: 'b=c',
		HERE: 'here',
		E: '',
	});
	for (const wrong of [
		['-e', '=x'],
		['-e', ''],
		['--env-file', folder],
		['--env-file', join(folder, 'none')],
	])
		t.throws(() => env(...wrong), {code: 'CONFIG_VALUE_INVALID'});
});
