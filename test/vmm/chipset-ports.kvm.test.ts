import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {dma8237Kind} from '#devices/chipset/dma-8237';
import {type Assembler, al, ax, createAssembler, word} from '#flowey/x86-assembler';
import type {VmOptions} from '#main/config';
import {debugExit, testVm} from '#test/petri';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-ports-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const address = 0x7c00;
const debugExitPort = 0xf4;
const done = 0x21;
const status = (done << 1) | 1;

/** Runs real-mode code until it ends the machine, and gives the machine. */
async function run(t: ExecutionContext, name: string, options: VmOptions, emit: (asm: Assembler) => void) {
	const asm = createAssembler({origin: address, bits: 16});
	emit(asm);
	const image = join(folder, name);
	writeFileSync(image, asm.finish().bytes);
	const devices = [debugExit(debugExitPort), ...(options.devices ?? [])];
	const guest = await testVm(t, {boot: {kind: 'flat', image, address, mode: 'real'}, ...options, devices});
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, {kind: 'exit', status});
	return guest;
}

const write = (asm: Assembler, ...pairs: readonly (readonly [port: number, value: number])[]) => {
	for (const [port, value] of pairs) {
		asm.mov(al, value);
		asm.out(port, al);
	}
};

/** Both PICs with vectors from 0x20 on, everything masked but `irq` and the cascade. */
function setUpPics(asm: Assembler, irq: number): void {
	const mask = 0xffff & ~((1 << irq) | (1 << 2));
	write(asm, [0x20, 0x11], [0x21, 0x20], [0x21, 4], [0x21, 1], [0x21, mask & 0xff]);
	write(asm, [0xa0, 0x11], [0xa1, 0x28], [0xa1, 2], [0xa1, 1], [0xa1, mask >> 8]);
}

const interrupts = 300;

/** Counts interrupts while the processor sleeps, and ends after {@link interrupts} of them. */
function countInterrupts(asm: Assembler, irq: number, start: () => void, acknowledge: () => void): void {
	asm.cli();
	asm.xor(ax, ax);
	asm.mov(word((0x20 + irq) * 4), 'handler');
	asm.mov(word((0x20 + irq) * 4 + 2), 0);
	setUpPics(asm, irq);
	start();
	asm.sti();
	asm.label('sleep');
	asm.hlt();
	asm.jmp('sleep');
	asm.label('handler');
	acknowledge();
	write(asm, [0xa0, 0x20], [0x20, 0x20]);
	asm.inc(word('count'));
	asm.cmp(word('count'), interrupts);
	asm.jb('again');
	write(asm, [debugExitPort, done]);
	asm.label('again');
	asm.iret();
	asm.label('count');
	asm.words(0);
}

const pitHz = 1_193_182;
const pitCount = 298;

test.serial('a PIT at 4 kHz interrupts as often as its guest waits for, and never ahead of time', async (t) => {
	const guest = await run(t, 'pit', {irqchip: 'split'}, (asm) =>
		countInterrupts(
			asm,
			0,
			() => write(asm, [0x43, 0x34], [0x40, pitCount & 0xff], [0x40, pitCount >> 8]),
			() => {},
		),
	);
	t.true(((await guest.inspect('vm/time')) as number) >= (interrupts * pitCount * 1e9) / pitHz);
	t.true(((await guest.inspect('vm/devices/pit/state/ticks')) as number) >= interrupts);
});

const rtcHz = 8192;
for (const irqchip of ['kernel', 'split'] as const) {
	test.serial(`an RTC at 8192 Hz interrupts as often as its guest waits for, irqchip ${irqchip}`, async (t) => {
		const guest = await run(t, `rtc-${irqchip}`, {irqchip}, (asm) =>
			countInterrupts(
				asm,
				8,
				() => write(asm, [0x70, 0x0a], [0x71, 0x23], [0x70, 0x0b], [0x71, 0x42], [0x70, 0x0c]),
				() => asm.in(al, 0x71),
			),
		);
		t.true(((await guest.inspect('vm/time')) as number) >= ((interrupts - 1) * 1e9) / rtcHz);
	});
}

test.serial('a guest sets up a DMA channel and reads it back', async (t) => {
	const devices = [{name: 'dma', kind: dma8237Kind}];
	const guest = await run(t, 'dma', {devices}, (asm) => {
		write(
			asm,
			[0x0c, 0],
			[0x0b, 0x46],
			[0x04, 0x34],
			[0x04, 0x12],
			[0x05, 0xff],
			[0x05, 0x01],
			[0x81, 0x07],
			[0x0a, 2],
		);
		for (const [port, value] of [
			[0x04, 0x34],
			[0x04, 0x12],
			[0x05, 0xff],
			[0x05, 0x01],
			[0x81, 0x07],
			[0x0f, 0xfb],
		] as const) {
			asm.in(al, port);
			asm.cmp(al, value);
			asm.jne('wrong');
		}
		write(asm, [debugExitPort, done]);
		asm.label('wrong');
		write(asm, [debugExitPort, 1]);
		asm.hlt();
	});
	t.regex(String(await guest.inspect('vm/devices/dma/state/address')), /^0+ 0+ 0*1234 0+/);
});
