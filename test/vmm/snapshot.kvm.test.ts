import {createHash} from 'node:crypto';
import {readdirSync, readFileSync, statSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {embedded, openTestSnapshot, snapshotPlace, testVm} from '#test/petri';

const digests = (directory: string) =>
	readdirSync(directory)
		.sort()
		.map((name) =>
			createHash('sha256')
				.update(readFileSync(join(directory, name)))
				.digest('hex'),
		);

for (const irqchip of ['kernel', 'split'] as const) {
	test.serial(
		`a guest at work goes on after its snapshot, and again from it as often as wanted, irqchip ${irqchip}`,
		async (t) => {
			const options = {processors: {count: 2}, irqchip, boot: embedded('work=300000')};
			const directory = snapshotPlace(t);
			const guest = await testVm(t, options);
			await guest.vm.start();
			await guest.waitFor(/CPUs: 2 found, 2 running/);
			await guest.vm.saveSnapshot(directory);
			t.is(guest.vm.state, 'running');
			const before = digests(directory);
			t.deepEqual(await guest.vm.ended, {kind: 'power-off'});
			t.regex(guest.output, /Sum \w+ over 614400000 items .*: OK/);

			const snapshot = openTestSnapshot(t, directory);
			for (let round = 0; round < 2; round++) {
				const restored = await testVm(t, options, {snapshot});
				t.is(restored.vm.state, 'created');
				await restored.vm.start();
				t.deepEqual(await restored.vm.ended, {kind: 'power-off'});
				t.notRegex(restored.output, /CPUs: 2 found/);
				t.regex(restored.output, /Sum \w+ over 614400000 items .*: OK[\s\S]*Powering off/);
			}
			t.deepEqual(digests(directory), before);
			t.true(statSync(join(directory, 'memory.bin')).blocks * 512 < 8 * 2 ** 20);
		},
	);
}
