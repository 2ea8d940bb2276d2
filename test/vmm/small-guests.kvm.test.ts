import {join} from 'node:path';
import test from 'ava';
import type {VmOptions} from '#main/config';
import {debugExit, testVm} from '#test/petri';

const fixture = (name: string) => join(process.cwd(), 'test', 'fixtures', name);
/** What a guest that is content writes to its port, as a status. */
const content = {kind: 'exit', status: 1} as const;
const devices = [debugExit()];

test.serial('a small kernel finds the ACPI tables by the 32-bit address in the RSDP', async (t) => {
	const boot: VmOptions['boot'] = {kind: 'flat', image: fixture('rsdt.bin'), address: 0x10_0000, mode: 'long'};
	const guest = await testVm(t, {devices, boot});
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, content);
});

test.serial('a multiboot kernel gets its name and the words for it, and modules with words of their own', async (t) => {
	const kernel = fixture('mbinfo.bin');
	const run = async (commandLine: readonly string[], initrd?: string) => {
		const guest = await testVm(t, {
			devices,
			boot: {kind: 'linux', kernel, commandLine, ...(initrd !== undefined && {initrd})},
		});
		await guest.vm.start();
		t.deepEqual(await guest.vm.ended, content);
		return guest.output;
	};
	t.is(await run(['hello', 'world']), '[mbinfo.bin hello world]00\n');
	const modules = `${fixture('rsdt.bin')} of its own,${kernel}`;
	t.is(await run([], modules), '[mbinfo.bin]02[rsdt.bin of its own][mbinfo.bin]\n');
});
