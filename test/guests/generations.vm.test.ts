import {mkdirSync, readFileSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {VM} from '#main/api';
import {linuxTest} from '#test/petri';
import {debianMachine, endsWith, makeRoot, onBackEnd, testFolder} from './testing/api-machine.ts';

const generations = [1, 2, 3, 4, 5];

linuxTest(
	'a machine that is saved and goes on, again and again, has all that it wrote in each, and its processes',
	async (t) => {
		const folder = testFolder(t, 'generations');
		const [root, shared] = [join(folder, 'root'), join(folder, 'shared')];
		const saved = (generation: number) => join(folder, `saved-${generation}`);
		await makeRoot(t, root);
		mkdirSync(shared);
		const image = {image: `folder:${root}`, cache: join(folder, 'images')};
		const host = {network: false, image, folders: {'/mnt': shared}} as const;
		let vm = endsWith(t, await VM.create(debianMachine(t, host)));
		const begun = (await vm.guest()).bootId;
		// What it has open goes on with it.
		const writer = 'exec 3>>/lines 4>>/mnt/lines; while read -r line; do echo "$line" >&3; echo "$line" >&4; done';
		await vm.exec(`mkfifo /pipe; (${writer}) <>/pipe >/dev/null 2>&1 & echo $! >/pid`, {check: true});
		for (const generation of generations) {
			const written = `until tail -n 1 /lines | grep -qx ${generation} && tail -n 1 /mnt/lines | grep -qx ${generation}; do sleep 0.1; done`;
			await vm.exec(`echo ${generation} >/pipe; ${written}`, {check: true});
			await vm.snapshot(saved(generation));
			// Later than the snapshot: the machine that goes on has never written it.
			await vm.exec('echo late >>/lines; sync', {check: true});
			await vm[Symbol.asyncDispose]();
			vm = endsWith(t, await VM.restore(saved(generation), {...host, ...onBackEnd}));
			// A machine needs the snapshot that it began with no more, once it is there.
			rmSync(saved(generation), {recursive: true});
			const lines = generations.slice(0, generation).map((each) => `${each}\n`);
			await vm.exec('sync; echo 3 >/proc/sys/vm/drop_caches', {check: true});
			t.is(await vm.files.readText('/lines'), lines.join(''));
			t.is(await vm.files.readText('/mnt/lines'), lines.join(''));
			t.is(readFileSync(join(shared, 'lines'), 'utf8'), lines.join(''));
			t.is((await vm.exec('kill -0 $(cat /pid)')).exitCode, 0, `its process, in generation ${generation}`);
			t.is((await vm.guest()).bootId, begun);
			const before = Date.now();
			const guestMs = Number((await vm.exec('date +%s', {check: true})).stdout) * 1000;
			t.true(guestMs >= before - 1000 && guestMs <= Date.now() + 1000, `the date, in generation ${generation}`);
		}
		await vm.stop();
		t.deepEqual(await vm.ended, {kind: 'power-off'});
		const anew = endsWith(t, await VM.create(debianMachine(t, host)));
		t.is((await anew.exec('cat /lines')).exitCode, 1, 'the image is as it was');
	},
);
