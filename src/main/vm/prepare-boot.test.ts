import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {type BootConfig, vmConfig} from '#main/config';
import {loadKernel} from '#main/loader';
import {findPiece, machineOf, makeBzImage, makeElf, makeMultiboot, pvhNote} from '#main/loader/testing';
import {BootFiles} from './boot-files.ts';
import {readKernel} from './prepare-boot.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-boot-'));
test.after.always(() => rmSync(folder, {recursive: true}));
const save = (name: string, bytes: Uint8Array) => {
	writeFileSync(join(folder, name), bytes);
	return join(folder, name);
};
const kernels = {
	linux: save('vmlinuz', makeBzImage()),
	multiboot: save('mb.bin', makeMultiboot()),
	pvh: save('pvh.elf', makeElf({segments: [{physical: 0x100000, data: new Uint8Array(64)}, pvhNote(0x100000)]})),
};

/** The image that a machine with this configuration boots. */
async function load(boot: BootConfig) {
	const files = await readKernel(vmConfig({memory: {sizeBytes: 256 * 2 ** 20}, boot}), new BootFiles());
	return loadKernel({...files, machine: machineOf(256 * 2 ** 20)});
}

/** A command line as the guest finds it. */
async function commandLine(
	boot: Partial<Extract<BootConfig, {kind: 'linux'}>> & {kernel: string},
	piece = 'command line',
) {
	const image = await load({kind: 'linux', commandLine: [], ...boot});
	return Buffer.from(findPiece(image, piece).data).toString();
}

test('Linux gets the words for Linux, any other kernel the name of its file, both then the user`s', async (t) => {
	const words = ['hello', 'world'];
	t.is(await commandLine({kernel: kernels.linux, commandLine: words}), 'panic=-1 debug console=ttyS0 hello world\0');
	t.is(await commandLine({kernel: kernels.multiboot, commandLine: words}), 'mb.bin hello world\0');
	t.is(await commandLine({kernel: kernels.pvh, commandLine: words}), 'pvh.elf hello world\0');
	t.is(await commandLine({kernel: kernels.multiboot}), 'mb.bin\0');
});

test('the words for Linux can be left away', async (t) => {
	const boot = {kernel: kernels.linux, defaultWords: false};
	t.is(await commandLine({...boot, commandLine: ['hello', 'world']}), 'hello world\0');
	t.is(await commandLine(boot), '\0');
});

test('modules get the names of their files and words of their own; Linux takes one file and no words', async (t) => {
	const [first, second] = [save('one', Uint8Array.of(1)), save('two', Uint8Array.of(2))];
	const initrd = `${first} with words,${second}`;
	for (const kernel of [kernels.multiboot, kernels.pvh]) {
		t.is(await commandLine({kernel, initrd}, 'command line of module 0'), 'one with words\0');
		t.is(await commandLine({kernel, initrd}, 'command line of module 1'), 'two\0');
		t.is(await commandLine({kernel, initrd: first}, 'command line of module 0'), 'one\0');
	}
	const boot = {kind: 'linux', kernel: kernels.linux, commandLine: []} as const;
	await t.throwsAsync(load({...boot, initrd}), {code: 'BOOT_DATA_UNSUPPORTED'});
	await t.throwsAsync(load({...boot, initrd: `${first} words`}), {code: 'BOOT_DATA_UNSUPPORTED'});
	for (const file of [first, save('my initrd,1.img', Uint8Array.of(1))]) {
		t.deepEqual(findPiece(await load({...boot, initrd: file}), 'initrd').data, Uint8Array.of(1), file);
	}
});
