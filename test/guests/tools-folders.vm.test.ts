import {execFileSync} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {findProgram} from '#test/incubator';
import {testFolder} from './testing/api-machine.ts';
import {kernelComplaint, toolsMachine, toolsTest} from './testing/tools-machine.ts';

const identity = ['-c', 'user.name=Host', '-c', 'user.email=host@example.org', '-c', 'safe.directory=*'];
const git = (folder: string, ...words: readonly string[]): string =>
	execFileSync('git', ['-C', folder, ...identity, ...words], {encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']});

toolsTest(
	'git clones in a shared folder, commits and pushes, and the host finds all of it whole',
	async (t) => {
		const shared = testFolder(t, 'git');
		const source = join(shared, 'source');
		for (let folder = 0; folder < 12; folder++) {
			mkdirSync(join(source, `folder-${folder}/deep`), {recursive: true});
			for (let file = 0; file < 12; file++)
				writeFileSync(join(source, `folder-${folder}/deep/file-${file}`), randomBytes(200 * (file + 1)));
		}
		writeFileSync(join(source, 'big'), randomBytes(1_000_000));
		git(shared, 'init', '-q', '-b', 'main', 'source');
		git(source, 'add', '.');
		git(source, 'commit', '-q', '-m', 'first');
		git(shared, 'clone', '-q', '--bare', 'source', 'origin.git');
		// Loose objects too, of which a clone beside it makes hard links.
		writeFileSync(join(source, 'later'), 'later\n');
		git(source, 'add', 'later');
		git(source, 'commit', '-q', '-m', 'second');
		git(source, 'push', '-q', join(shared, 'origin.git'), 'main');
		const vm = await toolsMachine(t, {folders: {'/mnt/shared': shared}});

		const worked = await vm.exec(
			`git config --global --add safe.directory '*'; git config --global user.name Guest; git config --global user.email guest@example.org
			set -e; cd /mnt/shared
			git clone -q origin.git linked; git clone -q file:///mnt/shared/origin.git copied
			cd copied; git checkout -q -b work; git mv folder-3 moved; echo of the guest >new; git add new; git commit -q -m 'of the guest'
			git push -q origin work; git gc -q; git status --short; git fsck --full --strict 2>&1; git log --format=%s work`,
			{check: true, env: {HOME: '/root'}},
		);
		t.is(worked.stdout, 'of the guest\nsecond\nfirst\n', worked.stderr);
		for (const [folder, commits] of [
			['linked', 'second\nfirst\n'],
			['copied', 'of the guest\nsecond\nfirst\n'],
		] as const) {
			const clone = join(shared, folder);
			t.is(git(clone, 'fsck', '--full', '--strict'), '', folder);
			t.is(git(clone, 'status', '--short'), '', folder);
			t.is(git(clone, 'log', '--format=%s'), commits, folder);
			t.deepEqual(readFileSync(join(clone, 'big')), readFileSync(join(source, 'big')), folder);
		}
		t.is(git(join(shared, 'origin.git'), 'fsck', '--full', '--strict'), '');
		t.is(git(join(shared, 'origin.git'), 'show', 'work:new'), 'of the guest\n');
		t.is(git(source, 'status', '--short'), '', 'what was there is as it was');
		t.is(await kernelComplaint(vm), '');
	},
	{skip: findProgram('git') === undefined},
);
