import {join} from 'node:path';
import test from 'ava';
import type {VmOptions} from '#main/config';
import {testVm} from '#test/petri';

const fixture = (name: string) => join(process.cwd(), 'test', 'fixtures', name);
/** What a guest that is content writes to its port, as a status. */
const content = {kind: 'exit', status: 1} as const;
const debugExitPort = 0xf4;

test.serial('a small kernel finds the ACPI tables by the 32-bit address in the RSDP', async (t) => {
	const boot: VmOptions['boot'] = {kind: 'flat', image: fixture('rsdt.bin'), address: 0x10_0000, mode: 'long'};
	const guest = await testVm(t, {debugExitPort, boot});
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, content);
});
