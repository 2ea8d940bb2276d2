import {interruptCount, linuxReport, linuxTest, until} from '#test/petri';

linuxTest('an unmodified Debian kernel boots with 4 processors on our interrupt controllers', async (t, machine) => {
	const facts = await linuxReport(t, machine, {processors: {count: 4}, irqchip: 'split'});
	t.is(facts['cpus'], '4');
	t.true(interruptCount(facts, 'ttyS0') > 0, facts['interrupts']);
});

/** A boot may be over before so many. */
const timerTicks = until("grep -qE '^ *0: +[1-9][0-9]{2}' /proc/interrupts");

linuxTest('without local APIC, the PIC and the PIT of a split machine carry the kernel', async (t, machine) => {
	const facts = await linuxReport(
		t,
		machine,
		{processors: {count: 1}, irqchip: 'split'},
		'nolapic',
		`OPENVMM_RUN="${timerTicks}"`,
	);
	t.is(facts['cpus'], '1');
	t.true(interruptCount(facts, 'timer') >= 100, facts['interrupts']);
	t.true(interruptCount(facts, 'ttyS0') > 0, facts['interrupts']);
});
