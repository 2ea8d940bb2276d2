import {createHash} from 'node:crypto';
import {mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {Apt, type ProgramEnd} from './apt.ts';

const content = 'the package';
const sha256 = createHash('sha256').update(content).digest('hex');
const available = `Package: made\nVersion: 1:2-3\nArchitecture: amd64\nSize: ${content.length}\nSHA256: ${sha256}\n`;

const hasOwnLists = (words: readonly string[]) => words.some((word) => word.startsWith('Dir::State::lists='));

/** A client whose programs are answers, by the word that says what to do. Returns it with all that it ran. */
async function made(t: ExecutionContext, answers: Record<string, (words: readonly string[]) => Partial<ProgramEnd>>) {
	const folder = await mkdtemp(join(tmpdir(), 'apt-'));
	t.teardown(() => rm(folder, {recursive: true}));
	const ran: string[] = [];
	const apt = new Apt(folder, async (program, words, cwd) => {
		const verb = ['dumpavail', 'update', 'download', 'indextargets'].find((each) => words.includes(each)) ?? '';
		ran.push(`${program} ${verb}`);
		const end = {status: 0, stdout: '', stderr: '', ...answers[verb]?.(words)};
		if (verb === 'download' && end.status === 0) await writeFile(join(cwd, 'made_1%3a2-3_amd64.deb'), end.stdout);
		return end;
	});
	return {apt, ran, folder};
}

test('packages come from the host’s lists, whatever it has installed, and are downloaded once', async (t) => {
	const {apt, ran} = await made(t, {
		dumpavail: (words) => ({stdout: words.includes('Dir::State::status=/dev/null') ? available : ''}),
		download: (words) => ({stdout: words.includes('made=1:2-3') ? content : ''}),
	});
	const list = await apt.list('amd64');
	const [first] = await apt.download([list.get('made')]);
	t.is(await readFile(first?.path ?? '', 'utf8'), content);
	t.deepEqual(await apt.download([list.get('made')]), [{package: list.get('made'), path: first?.path ?? ''}]);
	t.deepEqual(ran, ['apt-cache dumpavail', 'apt-get download']);
});

test('a host without package lists fetches some of its own, which are then used', async (t) => {
	let options: readonly string[] = [];
	const {apt, ran, folder} = await made(t, {
		dumpavail: (words) => {
			options = words;
			return {stdout: hasOwnLists(words) ? available : '\n'};
		},
	});
	t.is((await apt.list('amd64')).get('made').version, '1:2-3');
	t.deepEqual(ran, ['apt-cache dumpavail', 'apt-get update', 'apt-cache dumpavail']);
	t.true(options.includes(`Dir::State::lists=${join(folder, 'lists')}`));
	t.deepEqual((await readdir(folder)).sort(), ['cache', 'lists']);
});

test('a package with other bytes than its list tells is refused', async (t) => {
	const {apt} = await made(t, {
		dumpavail: () => ({stdout: available}),
		download: () => ({stdout: 'another one'}),
	});
	const list = await apt.list('amd64');
	await t.throwsAsync(apt.download([list.get('made')]), {code: 'PACKAGE_DAMAGED', message: /does not match/});
});

test('a client that is missing, and one that fails, are told', async (t) => {
	const missing = await made(t, {dumpavail: () => ({status: undefined as never})});
	await t.throwsAsync(missing.apt.list('amd64'), {code: 'PACKAGE_CLIENT_MISSING'});
	const failing = await made(t, {
		dumpavail: () => ({stdout: available}),
		download: () => ({status: 100, stderr: 'W: something\nE: Unable to fetch\n'}),
	});
	const list = await failing.apt.list('amd64');
	await t.throwsAsync(failing.apt.download([list.get('made')]), {
		code: 'PACKAGE_CLIENT_FAILED',
		message: "'apt-get download' failed: E: Unable to fetch",
	});
});

test('packages that the mirror has no more are chosen again, from new lists', async (t) => {
	const old = available.replace('1:2-3', '1:2-2');
	const {apt, ran} = await made(t, {
		dumpavail: (words) => ({stdout: hasOwnLists(words) ? available : old}),
		download: (words) => (words.includes('made=1:2-3') ? {stdout: content} : {status: 100, stderr: 'E: 404'}),
	});
	const {some, none} = await apt.fetch('amd64', (list) => ({some: [list.get('made')], none: []}));
	t.is(await readFile(some[0]?.path ?? '', 'utf8'), content);
	t.deepEqual(none, []);
	t.deepEqual(ran, [
		...['apt-cache dumpavail', 'apt-get download', 'apt-get update', 'apt-cache dumpavail', 'apt-get download'],
	]);
	const failing = await made(t, {
		dumpavail: () => ({stdout: available}),
		download: () => ({status: 100, stderr: 'E: no mirror'}),
	});
	const fetched = failing.apt.fetch('amd64', (list) => ({some: [list.get('made')]}));
	await t.throwsAsync(fetched, {code: 'PACKAGE_CLIENT_FAILED', message: /E: no mirror/});
});

test('another suite of the release comes from where the host has the release, with lists of its own', async (t) => {
	let options: readonly string[] = [];
	const targets = ['https://a/ bookworm-updates main', 'https://b/ bookworm contrib', 'https://c/ bookworm main'];
	const {apt, ran, folder} = await made(t, {
		indextargets: () => ({stdout: `${targets.join('\n')}\n`}),
		dumpavail: (words) => {
			options = words;
			return {stdout: available};
		},
	});
	const backports = await apt.suite('backports');
	t.is((await backports.list('amd64')).get('made').version, '1:2-3');
	const sources = join(folder, 'backports/sources.list');
	t.is(await readFile(sources, 'utf8'), 'deb https://c/ bookworm-backports main\n');
	t.true(options.includes(`Dir::Etc::sourcelist=${sources}`));
	t.true(options.includes(`Dir::State::lists=${join(folder, 'backports/lists')}`));
	t.deepEqual(ran, ['apt-get indextargets', 'apt-get update', 'apt-cache dumpavail']);
});

test('a host that has no release of Debian even in new lists has no suite beside it', async (t) => {
	const {apt, ran} = await made(t, {indextargets: () => ({stdout: 'https://a/ noble main restricted\n'})});
	await t.throwsAsync(apt.suite('backports'), {code: 'PACKAGE_RELEASE_UNKNOWN', message: /no backports/});
	t.deepEqual(ran, ['apt-get indextargets', 'apt-get update', 'apt-get indextargets']);
});
