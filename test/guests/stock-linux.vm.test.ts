import {interruptCount, linuxReport, linuxTest, reportMemoryBytes} from '#test/petri';

linuxTest('an unmodified Debian kernel boots with 4 processors to user space', async (t, machine) => {
	const facts = await linuxReport(t, machine, {processors: {count: 4}});
	t.is(facts['cpus'], '4');
	t.true(Number(facts['mem_kib']) > 400 * 1024, `${facts['mem_kib']} KiB`);
	t.true(Number(facts['mem_kib']) <= reportMemoryBytes / 1024);
	t.regex(facts['cmdline'] ?? '', /console=ttyS0.*openvmm\.test=report/);
	t.is(facts['dmi_vendor'], 'OpenVMM');
	t.true(interruptCount(facts, 'ttyS0') > 0, facts['interrupts']);
});
