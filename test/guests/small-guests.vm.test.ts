import {join} from 'node:path';
import type {VmOptions} from '#main/config';
import {debugExit, vmTest, x86BackEnds} from '#test/petri';

const fixture = (name: string) => join(process.cwd(), 'test', 'fixtures', name);
/** End by a guest that is content, as it writes that to its port. */
const content = {kind: 'exit', status: 1} as const;
const devices = [debugExit()];
const x86 = {on: x86BackEnds};

vmTest('a small kernel finds the ACPI tables by the 32-bit address in the RSDP', x86, async (t, machine) => {
	const boot: VmOptions['boot'] = {kind: 'flat', image: fixture('rsdt.bin'), address: 0x10_0000, mode: 'long'};
	const guest = await machine({devices, boot});
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, content);
});

vmTest(
	'a multiboot kernel gets its name and the words for it, and modules with words of their own',
	x86,
	async (t, machine) => {
		const kernel = fixture('mbinfo.bin');
		const run = async (commandLine: readonly string[], initrd?: string) => {
			const guest = await machine({
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
	},
);
