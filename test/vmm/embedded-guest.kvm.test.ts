import test from 'ava';
import {embedded, testVm} from '#test/petri';

for (const count of [1, 2, 8, 64]) {
	test.serial(`the embedded guest brings up ${count} processors, works on all of them and powers off`, async (t) => {
		const {vm, ...guest} = await testVm(t, {processors: {count}, boot: embedded('work=200000')});
		await vm.start();
		t.deepEqual(await vm.ended, {kind: 'power-off'});
		t.log(guest);
	});
}
