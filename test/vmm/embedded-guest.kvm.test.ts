import test from 'ava';
import {debugExit, embedded, testVm} from '#test/petri';

const mib = 2 ** 20;

for (const count of [1, 2, 8, 64]) {
	test.serial(`the embedded guest brings up ${count} processors, works on all of them and powers off`, async (t) => {
		const guest = await testVm(t, {processors: {count}, boot: embedded('work=2000000')});
		await guest.vm.start();
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'});
		t.regex(guest.output, new RegExp(`CPUs: ${count} found, ${count} running`));
		t.regex(guest.output, /: OK\r?\nPowering off/);
		const worked = guest.output.match(/^CPU \d+: APIC id \d+, user mode, \d+ chunks/gm);
		t.is(new Set(worked).size, count);
	});
}

for (const processors of [
	{count: 2, x2apic: 'on'},
	{count: 3, x2apic: 'off'},
	{count: 2, apicIdOffset: 300},
	{count: 4, vpsPerSocket: 2, smt: 'force'},
] as const) {
	test.serial(`processors start with ${JSON.stringify(processors)}`, async (t) => {
		const guest = await testVm(t, {processors, boot: embedded('work=20000')});
		await guest.vm.start();
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'});
		t.regex(guest.output, new RegExp(`CPUs: ${processors.count} found, ${processors.count} running`));
	});
}

for (const [sizeMib, lowest] of [
	[16, 15],
	[64, 63],
	[3 * 1024, 3 * 1024 - 1],
	[5 * 1024, 5 * 1024 - 1],
] as const) {
	test.serial(`a machine of ${sizeMib} MiB offers all of it but the legacy area`, async (t) => {
		const guest = await testVm(t, {memory: {sizeBytes: sizeMib * mib}, boot: embedded('work=10000')});
		await guest.vm.start();
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'});
		const [, usable] = guest.output.match(/Memory: (\d+) MiB usable/) ?? [];
		t.is(Number(usable), lowest);
	});
}

test.serial('a debug-exit write ends the machine with its status', async (t) => {
	const guest = await testVm(t, {boot: embedded('exit=21'), devices: [debugExit()]});
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, {kind: 'exit', status: 43});
});

test.serial('a triple fault is a crash that names the processor', async (t) => {
	const guest = await testVm(t, {boot: embedded('jump')});
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, {kind: 'crash', reason: 'triple fault', vcpu: 0, status: 3});
});

test.serial('a reset by the guest starts it again from its image', async (t) => {
	const guest = await testVm(t, {processors: {count: 2}, boot: embedded('reset', 'work=10000')});
	await guest.vm.start();
	await guest.waitFor(/(OpenVMM embedded guest[\s\S]*){3}/);
	await guest.vm.stop();
	t.deepEqual(await guest.vm.ended, {kind: 'stopped'});
});

test.serial('a reset can be made to end the machine', async (t) => {
	const guest = await testVm(t, {boot: embedded('reset', 'work=10000'), guestActions: {reset: {exit: 9}}});
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, {kind: 'exit', status: 9});
});

test.serial(
	'what a guest writes to every port and unmapped address is counted, and the machine carries on',
	async (t) => {
		const guest = await testVm(t, {boot: embedded('ports', 'mmio', 'work=10000')});
		await guest.vm.start();
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'});
		const counted = async (bus: string) =>
			Object.keys((await guest.inspect(`vm/buses/${bus}/unclaimed`)) as object).length;
		t.true((await counted('pio')) > 60_000);
		t.true((await counted('mmio')) > 0);
	},
);

test.serial('split interrupt controllers run the same guest', async (t) => {
	const guest = await testVm(t, {processors: {count: 2}, irqchip: 'split', boot: embedded('work=200000')});
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, {kind: 'power-off'});
	t.regex(guest.output, /CPUs: 2 found, 2 running/);
});
