import {x86BackEnds} from './back-ends.ts';
import {embedded} from './test-vm.ts';
import {vmTest} from './vm-test.ts';

/** A test that the embedded guest finds so many processors, starts them, and has each do a part of its work in user mode. */
export function bringUpTest(count: number): void {
	const title = `the embedded guest brings up ${count} processors, works on all of them and powers off`;
	vmTest(title, {on: x86BackEnds}, async (t, machine) => {
		const guest = await machine({processors: {count}, boot: embedded('work=50000')});
		await guest.vm.start();
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'});
		t.regex(guest.output, new RegExp(`CPUs: ${count} found, ${count} running`));
		t.regex(guest.output, /: OK\r?\nPowering off/);
		const worked = guest.output.match(/^CPU \d+: APIC id \d+, user mode, \d+ chunks/gm);
		t.is(new Set(worked).size, count);
	});
}
