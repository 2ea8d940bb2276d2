import {bringUpTest, debugExit, embedded, vmTest, x86BackEnds} from '#test/petri';

const mib = 2 ** 20;
const x86 = {on: x86BackEnds};

// With 64 it takes most of a minute: many-processors.vm.test.ts.
for (const count of [1, 2, 8, 16]) bringUpTest(count);

for (const processors of [
	{count: 2, x2apic: 'on'},
	{count: 3, x2apic: 'off'},
	{count: 2, apicIdOffset: 300},
	{count: 4, vpsPerSocket: 2, smt: 'force'},
] as const) {
	vmTest(`processors start with ${JSON.stringify(processors)}`, x86, async (t, machine) => {
		const guest = await machine({processors, boot: embedded('work=20000')});
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
	vmTest(`a machine of ${sizeMib} MiB offers all of it but the legacy area`, x86, async (t, machine) => {
		const guest = await machine({memory: {sizeBytes: sizeMib * mib}, boot: embedded('work=10000')});
		await guest.vm.start();
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'});
		const [, usable] = guest.output.match(/Memory: (\d+) MiB usable/) ?? [];
		t.is(Number(usable), lowest);
	});
}

vmTest('a debug-exit write ends the machine with its status', x86, async (t, machine) => {
	const guest = await machine({boot: embedded('exit=21'), devices: [debugExit()]});
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, {kind: 'exit', status: 43});
});

vmTest('a reset by the guest starts it again from its image', x86, async (t, machine) => {
	const guest = await machine({processors: {count: 2}, boot: embedded('reset', 'work=10000')});
	await guest.vm.start();
	await guest.waitFor(/(OpenVMM embedded guest[\s\S]*){3}/);
	await guest.vm.stop();
	t.deepEqual(await guest.vm.ended, {kind: 'stopped'});
});

vmTest(
	'what a guest writes to every port and unmapped address is counted, and the machine carries on',
	x86,
	async (t, machine) => {
		const guest = await machine({boot: embedded('ports', 'mmio', 'work=10000')});
		await guest.vm.start();
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'});
		const counted = async (bus: string) =>
			Object.keys((await guest.inspect(`vm/buses/${bus}/unclaimed`)) as object).length;
		t.true((await counted('pio')) > 60_000);
		t.true((await counted('mmio')) > 0);
	},
);

vmTest('split interrupt controllers run the same guest', x86, async (t, machine) => {
	const guest = await machine({processors: {count: 2}, irqchip: 'split', boot: embedded('work=200000')});
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, {kind: 'power-off'});
	t.regex(guest.output, /CPUs: 2 found, 2 running/);
});
