import test from 'ava';
import {readModuleInfo} from './modinfo.ts';
import {elfWith} from './testing/elf-with.ts';

test('dependencies and aliases are read from the module', (t) => {
	const file = elfWith('.modinfo', 'license=GPL\0depends=kvm,irqbypass\0alias=pci:v1\0alias=cpu:x86\0');

	t.deepEqual(readModuleInfo('kvm', file), {depends: ['kvm', 'irqbypass'], aliases: ['pci:v1', 'cpu:x86']});
});

test('a module may depend on nothing', (t) => {
	t.deepEqual(readModuleInfo('m', elfWith('.modinfo', 'depends=\0')), {depends: [], aliases: []});
});

test('a file that is no module is refused', (t) => {
	const refused = (bytes: Uint8Array, what: string) =>
		t.throws(() => readModuleInfo('m', bytes), {
			code: 'IMAGE_MODULE_DAMAGED',
			message: `Kernel module m cannot be read: ${what}`,
		});
	refused(Buffer.from('hello'), 'it is no ELF file');
	refused(elfWith('.text', ''), 'it has no section .modinfo');
	const cut = elfWith('.modinfo', 'depends=\0');
	refused(cut.subarray(0, -1), 'its sections are cut off');
	const wrong = Buffer.from(cut);
	wrong.writeUInt16LE(7, 0x3e);
	refused(wrong, 'it has no section 7');
	wrong.writeUInt16LE(0xffff, 0x3c);
	refused(wrong, 'its sections are cut off');
});
