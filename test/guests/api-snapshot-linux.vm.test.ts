import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {VM} from '#main/api';
import {memoryFolder} from '#main/folders';
import {linuxTest} from '#test/petri';
import {debianMachine, endsWith, makeRoot, onBackEnd, testFolder} from './testing/api-machine.ts';

linuxTest('a snapshot goes on in another machine, which has the time, and is used like the first', async (t) => {
	const saved = join(testFolder(t, 'api'), 'saved');
	const vm = endsWith(t, await VM.create(debianMachine(t, {network: false})));
	await vm.exec('echo kept >/tmp/kept; sleep 100000 & echo $! >/tmp/pid', {check: true});
	const many = Array.from({length: 100}, (_, index) => vm.exec(['/bin/busybox', 'echo', `${index}`]));
	t.deepEqual(
		(await Promise.all(many)).map(({stdout}) => stdout),
		many.map((_, index) => `${index}\n`),
	);
	const input = Buffer.alloc(10 * 2 ** 20, 'bytes');
	const {stdout: sum} = await vm.exec('md5sum', {input});
	t.is(sum, `${createHash('md5').update(input).digest('hex')}  -\n`);
	// The host's side of it ends with the machine, and the guest's goes on in the next one.
	await using running = await vm.spawn('while :; do echo line; echo more >>/tmp/lines; sleep 0.1; done');
	for await (const _ of running.stdout) break;
	await vm.snapshot(saved);
	await vm.pause();
	await vm.resume();
	t.is((await vm.exec('cat /tmp/kept')).stdout, 'kept\n');
	await vm[Symbol.asyncDispose]();
	await t.throwsAsync(running.exited, {code: 'VM_STOPPED_AGENT'});
	const restored = endsWith(t, await VM.restore(saved, {network: false, ...onBackEnd}));
	const lines = async () => (await restored.files.read('/tmp/lines')).length;
	const first = await lines();
	while ((await lines()) === first) await sleep(50);
	t.is((await restored.exec('cat /tmp/kept; kill -0 $(cat /tmp/pid) && echo runs')).stdout, 'kept\nruns\n');
	const began = Date.now();
	const guestMs = Number((await restored.exec('date +%s')).stdout) * 1000;
	t.true(guestMs >= began - 1000 && guestMs <= Date.now() + 1000, 'the date is right');
	await restored.stop();
	t.true(existsSync(join(saved, 'manifest.json')), 'the snapshot is there for others');
});

linuxTest(
	'a folder that is shared is the root itself, and stays as it is unless the guest may change it',
	async (t) => {
		const root = join(testFolder(t, 'root'), 'root');
		await makeRoot(t, root);
		const image = {image: `folder:${root}`, folder: 'share'} as const;
		const read = () => readFileSync(join(root, 'etc/name'), 'utf8');
		for (const writable of [false, true]) {
			const vm = endsWith(t, await VM.create(debianMachine(t, {network: false, image, writable})));
			t.is((await vm.exec('cat /etc/name')).stdout, 'of the folder\n');
			await vm.exec('echo written >/etc/name; busybox sync', {check: true});
			t.is((await vm.exec('cat /etc/name')).stdout, 'written\n');
			t.is(read(), writable ? 'written\n' : 'of the folder\n');
			await vm[Symbol.asyncDispose]();
		}
	},
);

linuxTest(
	'a root made of a folder stays as it is, and goes on in forks and from a snapshot with what was written',
	async (t) => {
		const folder = testFolder(t, 'root');
		const root = join(folder, 'root');
		await makeRoot(t, root);
		const image = {image: `folder:${root}`, cache: join(folder, 'images')};
		const asked = debianMachine(t, {network: false, image});
		const vm = endsWith(t, await VM.create(asked));
		t.is(
			(await vm.exec('cat /etc/name; grep -c "^/dev/root / \\|^/dev/vda / " /proc/mounts')).stdout,
			'of the folder\n1\n',
		);
		await vm.exec('echo written >/etc/name; busybox sync', {check: true});
		const [fork] = (await vm.fork(1)) as [VM];
		endsWith(t, fork);
		await fork.exec('echo of the fork >/etc/name; busybox sync; echo 3 >/proc/sys/vm/drop_caches', {check: true});
		t.is(await fork.files.readText('/etc/name'), 'of the fork\n');
		await vm.exec('echo 3 >/proc/sys/vm/drop_caches', {check: true});
		t.is(await vm.files.readText('/etc/name'), 'written\n');
		const saved = join(folder, 'saved');
		const [nested] = (await fork.fork(1)) as [VM];
		endsWith(t, nested);
		t.is(nested.name, `${fork.name}-1`);
		await nested.files.write('/etc/name', 'of the fork of the fork\n');
		t.is(await fork.files.readText('/etc/name'), 'of the fork\n');
		await nested[Symbol.asyncDispose]();
		await fork.snapshot(saved);
		await fork[Symbol.asyncDispose]();
		await vm[Symbol.asyncDispose]();

		const restored = endsWith(t, await VM.restore(saved, {network: false, image, ...onBackEnd}));
		t.is((await restored.exec('cat /etc/name')).stdout, 'of the fork\n');
		await restored.stop();
		const anew = endsWith(t, await VM.create(asked));
		t.is((await anew.exec('cat /etc/name')).stdout, 'of the folder\n', 'the image is as it was');
		await t.throwsAsync(VM.create({...asked, writable: true}), {code: 'VM_OPTION_INVALID'});
	},
);

linuxTest(
	'folders go on where the guest has them, with what it has open, in whatever order they are given',
	async (t) => {
		const place = testFolder(t, 'folders');
		const [saved, host, shared] = [join(place, 'saved'), join(place, 'host'), join(place, 'shared')];
		for (const each of [host, shared]) {
			mkdirSync(each);
			writeFileSync(join(each, 'log'), 'host\n');
		}
		const before = memoryFolder({log: 'before\n'});
		const folders = {'/data': {folder: host}, '/made': {folder: before}, '/shared': {folder: shared, dax: '8M'}};
		const vm = endsWith(t, await VM.create(debianMachine(t, {network: false, folders})));
		const {stdout: mounted} = await vm.exec('grep " /shared " /proc/mounts');
		t.regex(mounted, /^folder\/shared \/shared virtiofs rw.*dax=always/);
		const work = [
			'exec 5>>/data/log 6>>/made/log 7>>/shared/log; echo open >&5; echo open >&6; echo open >&7; touch /tmp/open',
			'while [ ! -e /tmp/go ]; do sleep 0.1; done',
			'echo after >&5; echo after >&6; echo after >&7; touch /tmp/done',
		].join('; ');
		const until = (path: string) =>
			`while [ ! -e ${path} ]; do kill -0 $(cat /tmp/pid) || [ -e ${path} ] || exit 1; sleep 0.1; done`;
		await vm.exec(`(${work}) >/dev/null 2>&1 & echo $! >/tmp/pid; ${until('/tmp/open')}`, {check: true});
		await vm.snapshot(saved);
		await vm[Symbol.asyncDispose]();
		const after = memoryFolder({log: 'another object\n'});
		const again = {'/shared': shared, '/made/': {folder: after}, '/data': host};
		const unknown = VM.restore(saved, {network: false, ...onBackEnd, folders: {...again, '/other': host}});
		await t.throwsAsync(unknown, {code: 'VM_OPTION_INVALID', message: /"\/other"/});
		const restored = endsWith(t, await VM.restore(saved, {network: false, ...onBackEnd, folders: again}));
		await restored.exec(`touch /tmp/go; ${until('/tmp/done')}`, {check: true});
		t.is(readFileSync(join(host, 'log'), 'utf8'), 'host\nopen\nafter\n');
		const text = (folder: typeof after) => Buffer.from(folder.readFile('/log')).toString();
		t.is(readFileSync(join(shared, 'log'), 'utf8'), 'host\nopen\nafter\n');
		t.is(text(after), 'another object\nafter\n');
		t.is(text(before), 'before\nopen\n', 'it has ended with its machine');
		const [fork] = (await restored.fork(1)) as [VM];
		endsWith(t, fork);
		await fork.exec('for folder in made data shared; do echo fork >>/$folder/log; done; sync', {check: true});
		t.is(readFileSync(join(shared, 'log'), 'utf8'), 'host\nopen\nafter\nfork\n');
		t.is(text(after), 'another object\nafter\nfork\n');
		t.is(readFileSync(join(host, 'log'), 'utf8'), 'host\nopen\nafter\nfork\n');
	},
);
