// Folders of processes that are not root of the host: of a user, and of root in a user namespace, which knows no other users (a rootless container).
import {execFileSync, spawnSync} from 'node:child_process';
import {
	chmodSync,
	chownSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';

const checkout = join(import.meta.dirname, '../../../..');
const nobody = 65534;
/** Who runs a program, by the words before it; an empty list is whoever runs the tests, if that is not root. */
const users = {
	'a user': process.geteuid?.() === 0 ? ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'] : [],
	'root of a user namespace': ['unshare', '--user', '--map-root-user'],
};
/** The host has such a user, who may run the tests' program in their checkout. */
const isThere = (who: readonly string[]): boolean => {
	const [program = '', ...words] = [...who, process.execPath, '--eval', "fs.readFileSync('package.json')"];
	return spawnSync(program, words, {cwd: checkout}).status === 0;
};

/** Does things in a shared folder as somebody; answers are attributes, handles or negated errnos by their names. */
function asUser(who: readonly string[], folder: string, steps: string): Readonly<Record<string, unknown>> {
	const source = `
		import {folderDefaults, nameOf} from '#devices/folder';
		import {openHostFolder} from '#devices/folder/host';
		const name = (text) => nameOf(Buffer.from(text));
		const owner = {uid: 1000, gid: 1001};
		const open = (options) => openHostFolder(${JSON.stringify(folder)}, {...folderDefaults, ...options});
		const told = {};
		${steps}
		console.log(JSON.stringify(told, (_, value) => (typeof value === 'bigint' ? String(value) : value)));
	`;
	const words = [...who, process.execPath, '--import=tsx', '--input-type=module', '--eval', source];
	const env = {...process.env, HOME: tmpdir(), NODE_COMPILE_CACHE: ''};
	return JSON.parse(execFileSync(words[0] as string, words.slice(1), {encoding: 'utf8', cwd: checkout, env}));
}

function folderOf(t: ExecutionContext): string {
	const top = mkdtempSync(join(tmpdir(), 'openvmm-user-'));
	t.teardown(() => rmSync(top, {recursive: true, force: true}));
	const inside = join(top, 'inside');
	mkdirSync(inside);
	for (const path of [top, inside]) chmodSync(path, 0o755);
	writeFileSync(join(top, 'secret'), 'secret');
	symlinkSync('../secret', join(inside, 'out'));
	return inside;
}

for (const [what, who] of Object.entries(users)) {
	const run = isThere(who) ? test : test.skip;
	const isOther = what === 'a user' && who.length > 0;

	run(`${what}: what a guest's user makes is the process's, with its mode`, (t) => {
		const folder = folderOf(t);
		if (isOther) chownSync(folder, nobody, nobody);
		const told = asUser(
			who,
			folder,
			`
			const folder = open({});
			told.file = folder.create(1, name('file'), 2, 0o640, owner);
			told.written = folder.release(told.file.handle);
			told.directory = folder.makeDirectory(1, name('directory'), 0o2770, owner);
			told.link = folder.makeLink(1, name('link'), Buffer.from('/etc'), owner);
			told.pipe = folder.makeNode(1, name('pipe'), 0o10600, 0, owner);
			told.unnamed = folder.createUnnamed(1, 2, 0o604, owner);
			told.chmod = folder.setAttributes(told.file.node, {mode: 0o600});
			told.rights = folder.setAttributes(told.file.node, {mode: 0o4755});
			told.out = folder.open(folder.lookup(1, name('out')).node, 0);
			`,
		);
		t.deepEqual(readdirSync(folder).sort(), ['directory', 'file', 'link', 'out', 'pipe']);
		t.is(statSync(join(folder, 'file')).mode, 0o100600);
		t.is(statSync(join(folder, 'directory')).mode, 0o042770);
		t.like(told, {file: {attributes: {mode: 0o100640}}, written: 0, rights: -1, out: -6});
		for (const made of ['directory', 'link', 'pipe', 'unnamed', 'chmod']) t.is(typeof told[made], 'object', made);
		const {uid} = statSync(join(folder, '..'));
		t.is(statSync(join(folder, 'file')).uid, isOther ? nobody : uid);
	});

	run(`${what}: owners that the guest gives are kept beside files, in the group of a directory that says so`, (t) => {
		const folder = folderOf(t);
		if (isOther) chownSync(folder, nobody, nobody);
		const told = asUser(
			who,
			folder,
			`
			const folder = open({owner: 'mapped'});
			const directory = folder.makeDirectory(1, name('d'), 0o2775, {uid: 5, gid: 77});
			told.file = folder.create(directory.node, name('f'), 2, 0o644, owner).attributes;
			told.sub = folder.makeDirectory(directory.node, name('s'), 0o755, owner).attributes;
			told.other = folder.create(1, name('f'), 2, 0o644, owner).attributes;
			`,
		);
		t.like(told, {
			file: {uid: 1000, gid: 77, mode: 0o100644},
			sub: {uid: 1000, gid: 77, mode: 0o042755},
			other: {uid: 1000, gid: 1001},
		});
	});
}

(isThere(users['a user']) && users['a user'].length > 0 ? test : test.skip)(
	'a guest may do nothing of what the user may not',
	(t) => {
		const folder = folderOf(t);
		mkdirSync(join(folder, 'locked'), {mode: 0o700});
		writeFileSync(join(folder, 'file'), 'content', {mode: 0o644});
		chmodSync(folder, 0o777);
		const told = asUser(
			users['a user'],
			folder,
			`
			const folder = open({});
			const [file, locked] = ['file', 'locked'].map((each) => folder.lookup(1, name(each)).node);
			Object.assign(told, {
				write: folder.open(file, 2),
				cut: folder.setAttributes(file, {size: 0}),
				chmod: folder.setAttributes(file, {mode: 0o666}),
				chown: folder.setAttributes(file, {uid: 65534}),
				in: folder.lookup(locked, name('x')),
				list: folder.openDirectory(locked),
				make: folder.create(locked, name('x'), 2, 0o644, owner),
				times: folder.setAttributes(file, {modified: {seconds: 5, nanoseconds: 0}}),
				read: folder.open(file, 0) > 0,
			});
			`,
		);
		const [EPERM, EACCES] = [-1, -13];
		t.deepEqual(told, {
			...{write: EACCES, cut: EACCES, chmod: EPERM, chown: EPERM, in: EACCES, list: EACCES, make: EACCES, times: EPERM},
			read: true,
		});
		t.is(readFileSync(join(folder, 'file'), 'utf8'), 'content');
	},
);
