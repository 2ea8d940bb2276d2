import {join} from 'node:path';
import {checkExt4, hasExt4Tools} from '#main/ext4/testing';
import {reportedFacts, vmTest} from '#test/petri';
import {commands, configured, hasPackages, prepared} from './testing/debian-images.ts';
import {limitMs} from './user-land/user-land.ts';

vmTest(
	'without a word about it packages are configured at the first boot of an image, once and for all',
	{on: ['software'], skip: !hasPackages()},
	async (t) => {
		t.timeout(limitMs);
		const {folder, build, boot} = await prepared(t);
		const waiting = 'say waiting $(ls /etc/systemd/system/multi-user.target.wants | grep -c openvmm-configure)';
		const line = await build('one', [...commands, waiting]);
		const output = await boot(line);
		t.like(reportedFacts(output), {...configured, waiting: '0'}, output);
		if (hasExt4Tools) checkExt4(t, join(folder, 'one/disk.img'));
	},
);
