import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {debugExit, testVm} from '#test/petri';
import {awaitNmi, exitPort} from '#test/tmk';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-nmi-'));
test.after.always(() => rmSync(folder, {recursive: true}));

test.serial('every non-maskable interrupt reaches a processor that halts with interrupts off', async (t) => {
	const kernel = awaitNmi({count: 3});
	const image = join(folder, kernel.name);
	writeFileSync(image, kernel.image);
	const boot = {kind: 'flat', image, address: kernel.loadAddress, mode: 'long'} as const;
	const guest = await testVm(t, {boot, devices: [debugExit(exitPort)]});
	await guest.vm.start();
	await guest.waitFor(/!/);
	for (let round = 0; round < 3; round++) {
		await guest.vm.nmi();
		// One that comes while another waits is the same one.
		await new Promise((resolve) => setTimeout(resolve, 300));
	}
	t.deepEqual(await guest.vm.ended, {kind: 'exit', status: 1});
});
