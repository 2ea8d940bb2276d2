import test from 'ava';
import {isVmmError} from '#support/errors';
import {machinesOn, moveTests, moveVm, runsStockKernels} from '#test/petri';
import {stateKeeper} from '#test/tmk';

const keeper = (count: number) => ({kernel: stateKeeper({pmTimer: 0x408, count}), memory: {sizeBytes: 2 ** 25}});

moveTests(
	({from, to}) => `a guest's registers go from ${from} to ${to} and back`,
	async (t, {from, to, cpu}) => {
		const options = {...keeper(12), cpu};
		const guest = await machinesOn(t, from)(options);
		await guest.vm.start();
		await guest.waitFor(/(tick\n){3}/);
		const moved = await moveVm(t, guest, to, options);
		await moved.waitFor(/(tick\n){3}/);
		const back = await moveVm(t, moved, from, options);
		t.deepEqual(await back.vm.ended, {kind: 'exit', status: 1}, back.output);
	},
);

(runsStockKernels() ? test.serial : test.serial.skip)(
	"what the software processor lacks of a host's processor is named",
	async (t) => {
		const options = keeper(100);
		const guest = await machinesOn(t, 'kvm')(options);
		await guest.vm.start();
		const error = await t.throwsAsync(moveVm(t, guest, 'software', options));
		t.true(isVmmError(error, 'SNAPSHOT_HYPERVISOR_LACKS'));
		t.log(error?.message);
		t.regex(
			error?.message ?? '',
			/ran on kvm and has what software does not have .*CPUID\.40000001\.0:EAX\[6\] \(kvm_pv_eoi\)/,
		);
	},
);
