import {createHash} from 'node:crypto';
import {createReadStream, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {pipeline} from 'node:stream/promises';
import {checkExt4, hasExt4Tools} from '#main/ext4/testing';
import {backEndHere, reportedFacts, vmTest} from '#test/petri';
import {commands, configured, hasPackages, prepared} from './testing/debian-images.ts';
import {limitMs} from './user-land/user-land.ts';

const ofPython = 'say compiled $(ls /usr/lib/python3.11/__pycache__ | grep -c "^os.*pyc")';

async function digestOf(path: string): Promise<string> {
	const hash = createHash('sha256');
	await pipeline(createReadStream(path), hash);
	return hash.digest('hex');
}

vmTest(
	'packages are configured while an image is made, twice the same, and its first boot finds all done',
	{on: ['software'], skip: !hasPackages()},
	async (t) => {
		t.timeout(limitMs);
		const {folder, build, boot} = await prepared(t);
		const more = ['--packages', 'python3-minimal', '--configure', 'guest', '--hypervisor', backEndHere];
		const lines = [...commands, ofPython];
		const line = await build('one', lines, more);
		await build('two', lines, more);
		for (const name of ['disk.img', 'initrd.gz', 'vmlinuz'])
			t.is(await digestOf(join(folder, 'one', name)), await digestOf(join(folder, 'two', name)), name);
		t.deepEqual(readdirSync(join(folder, 'one')).toSorted(), ['disk.img', 'initrd.gz', 'vmlinuz']);
		const disk = join(folder, 'one/disk.img');
		if (hasExt4Tools) checkExt4(t, disk);
		const output = await boot(line);
		t.like(reportedFacts(output), {...configured, compiled: '1'}, output);
		if (hasExt4Tools) checkExt4(t, disk);
	},
);
