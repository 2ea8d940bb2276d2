import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {al, ax, createAssembler, dx, eax, word} from '#flowey/x86-assembler';
import {vmConfig} from '#main/config';
import {createVm} from '#main/vm';
import {debugExit, testVm} from '#test/petri';

const example = join(process.cwd(), 'guide/examples/checksum.ts');
const folder = mkdtempSync(join(tmpdir(), 'openvmm-device-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const [port, irq, vectorBase] = [0x600, 5, 0x20];
const address = 0x7c00;
const debugExitPort = 0xf4;

/** Real mode: sets up the master PIC and the vector of the device's interrupt, asks for a sum, and sleeps until it is there. */
function kernel(): Uint8Array {
	const asm = createAssembler({origin: address, bits: 16});
	const outByte = (to: number, value: number) => {
		asm.mov(al, value);
		asm.out(to, al);
	};
	const outLong = (to: number, value: number) => {
		asm.mov(dx, to);
		asm.mov(eax, value);
		asm.out(dx, eax);
	};
	asm.cli();
	asm.xor(ax, ax);
	asm.mov(word((vectorBase + irq) * 4), 'handler');
	asm.mov(word((vectorBase + irq) * 4 + 2), 0);
	for (const [to, value] of [
		[0x20, 0x11],
		[0x21, vectorBase],
		[0x21, 4],
		[0x21, 1],
		[0x21, 0xff & ~(1 << irq)],
	] as const) {
		outByte(to, value);
	}
	outLong(port, address);
	outLong(port + 4, 16);
	outLong(port + 12, 1);
	asm.sti();
	asm.label('sleep');
	asm.hlt();
	asm.jmp('sleep');
	asm.label('handler');
	asm.mov(dx, port + 8);
	asm.in(eax, dx);
	asm.out(debugExitPort, al);
	asm.hlt();
	return asm.finish().bytes;
}

for (const irqchip of ['kernel', 'split'] as const) {
	for (const route of ['shared', 'remote'] as const) {
		test.serial(`a device of the user's own does DMA and interrupts: irqchip ${irqchip}, ${route}`, async (t) => {
			const image = join(folder, 'kernel');
			const log = join(folder, `${irqchip}-${route}`);
			const bytes = kernel();
			writeFileSync(image, bytes);
			const guest = await testVm(t, {
				irqchip,
				boot: {kind: 'flat', image, address, mode: 'real'},
				devices: [
					debugExit(debugExitPort),
					{module: example, route, options: {port: String(port), irq: String(irq), log}},
				],
			});
			const {vm} = guest;
			await vm.start();
			const sum = bytes.subarray(0, 16).reduce((total, byte) => total + byte, 0);
			t.deepEqual(await vm.ended, {kind: 'exit', status: ((sum << 1) | 1) & 0xff});
			t.is(readFileSync(log, 'utf8'), `1 jobs, last sum ${sum}\n`);
			t.like(await guest.inspect('vm/devices/checksum/state'), {result: sum, jobs: 1, done: 1});
		});
	}
}

const refused: [string, string, Record<string, string>][] = [
	['a file that is not there', 'DEVICE_MODULE_UNLOADABLE', {}],
	['a module without a model', 'DEVICE_MODULE_WRONG', {}],
	['options that the device does not know', 'CONFIG_KEY_UNKNOWN', {speed: '1'}],
];
for (const [what, code, options] of refused) {
	test.serial(`${what} is an error that says so`, async (t) => {
		const wrong = join(folder, 'wrong.mjs');
		writeFileSync(wrong, 'export default {kind: "wrong"};');
		const module = {DEVICE_MODULE_UNLOADABLE: '/no/such.ts', DEVICE_MODULE_WRONG: wrong}[code] ?? example;
		const config = vmConfig({devices: [{module, options}]});
		await t.throwsAsync(createVm(config), {code});
	});
}
