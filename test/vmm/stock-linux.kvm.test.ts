import type {ExecutionContext} from 'ava';
import type {VmOptions} from '#main/config';
import {linuxTest, linuxVm} from '#test/petri';

const sizeBytes = 512 * 2 ** 20;

/** Boots to user space, which powers off; returns what the guest says of itself. */
async function report(t: ExecutionContext, options: VmOptions, ...words: readonly string[]) {
	const guest = await linuxVm(t, {memory: {sizeBytes}, ...options}, 'openvmm.test=report', ...words);
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
	const said = [...guest.output.matchAll(/^openvmm-guest: (\w+)=(.*?)\r?$/gm)].map(([, k, v]) => [k, v]);
	const facts: Record<string, string> = Object.fromEntries(said);
	t.log(facts);
	return facts;
}

/** How often an interrupt came, by the name that the kernel gives it. */
const count = (facts: Record<string, string>, name: string) =>
	Number(new RegExp(`${name}:(\\d+)`).exec(facts['interrupts'] ?? '')?.[1] ?? Number.NaN);

for (const irqchip of ['kernel', 'split'] as const) {
	linuxTest(`an unmodified Debian kernel boots with 4 processors to user space, irqchip ${irqchip}`, async (t) => {
		const facts = await report(t, {processors: {count: 4}, irqchip});
		t.is(facts['cpus'], '4');
		t.true(Number(facts['mem_kib']) > 400 * 1024, `${facts['mem_kib']} KiB`);
		t.true(Number(facts['mem_kib']) <= sizeBytes / 1024);
		t.regex(facts['cmdline'] ?? '', /console=ttyS0.*openvmm\.test=report/);
		t.is(facts['dmi_vendor'], 'OpenVMM');
		t.true(count(facts, 'ttyS0') > 0, facts['interrupts']);
	});
}

linuxTest('without local APIC, the PIC and the PIT of a split machine carry the kernel', async (t) => {
	const facts = await report(t, {processors: {count: 1}, irqchip: 'split'}, 'nolapic');
	t.is(facts['cpus'], '1');
	t.true(count(facts, 'timer') > 100, facts['interrupts']);
	t.true(count(facts, 'ttyS0') > 0, facts['interrupts']);
});
