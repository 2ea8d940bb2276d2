import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {cr0, createAssembler, dword, eax} from '#flowey/x86-assembler';
import {halt} from '#test/tmk';
import {startKernel} from '../guest-processor.ts';
import {fillMemory, ramBytesFor, resultsOf} from './image.ts';
import {memory} from './layout.ts';

const timeoutMs = 60_000;
/** More instructions than a case takes with what the driver does for it. */
const instructionsOfCase = 2000;
/** A ROM ends at 4 GiB, and is there once more below 1 MiB; a processor begins 16 bytes before its end. */
const romBytes = 0x1_0000;
const resetOffset = 0xfff0;
const realRomSegment = 0xf000;

/** Runs cases on the software processor. */
export function runOnSoftware(cases: readonly Uint8Array[]): readonly Uint8Array[] {
	const {processor, ram} = startKernel(halt(), {ramBytes: ramBytesFor(cases.length)});
	const {state} = processor.core;
	ram.fill(0);
	fillMemory(ram, cases);
	Object.assign(state, {cr0: 0x6000_0011n, cr4: 0n, efer: 0n, rip: BigInt(memory.driver)});
	const flat = {base: 0n, limit: 0xffff_ffff};
	for (const [index, segment] of state.segments.entries()) {
		if (index === 1) Object.assign(segment, flat, {selector: 8, attributes: 0xc09b});
		else if (index < 6) Object.assign(segment, flat, {selector: 16, attributes: 0xc093});
	}
	processor.changed();
	const stop = processor.run((cases.length + 1) * instructionsOfCase);
	if (stop !== 'halted') throw new Error(`the cases ended by ${stop} at ${state.rip.toString(16)}`);
	return resultsOf(ram, cases.length);
}

/** A ROM that goes to the driver in protected mode. */
function rom(): Uint8Array {
	const asm = createAssembler({origin: 0, bits: 16});
	const {label, bytes, words, dwords, mov, or, qwords} = asm;
	asm.cli();
	// CS: LGDT.
	bytes(0x2e);
	asm.lgdt(dword('pointer'));
	mov(eax, cr0);
	or(eax, 1);
	mov(cr0, eax);
	bytes(0x66, 0xea);
	dwords(memory.driver);
	words(8);
	label('table');
	qwords(0, 0x00cf_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn);
	label('pointer');
	words(23);
	dwords({label: 'table', add: realRomSegment << 4});
	const image = new Uint8Array(romBytes);
	image.set(asm.finish().bytes);
	image.set([0xea, 0, 0, realRomSegment & 0xff, realRomSegment >> 8], resetOffset);
	return image;
}

/**
 * Runs cases in QEMU, whose RAM is a file: without hardware virtualization, so that it interprets each instruction itself. Throws where
 * a case ends it.
 */
export async function runInQemu(cases: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-qemu-'));
	const [ramFile, romFile] = [join(folder, 'ram'), join(folder, 'rom')];
	try {
		const ram = new Uint8Array(ramBytesFor(cases.length));
		fillMemory(ram, cases);
		writeFileSync(ramFile, ram);
		writeFileSync(romFile, rom());
		const options = [
			...'-M pc,memory-backend=ram -accel tcg -cpu Nehalem -nodefaults -display none -no-reboot'.split(' '),
			...['-m', `${ram.length / 2 ** 20}M`, '-bios', romFile],
			...['-object', `memory-backend-file,id=ram,size=${ram.length},mem-path=${ramFile},share=on`],
			...['-device', 'isa-debug-exit,iobase=0xf4,iosize=1'],
		];
		const child = spawn('qemu-system-x86_64', options, {stdio: 'inherit', timeout: timeoutMs, killSignal: 'SIGKILL'});
		await once(child, 'close');
		const results = resultsOf(new Uint8Array(readFileSync(ramFile)), cases.length);
		const done = results.findIndex((bytes) => bytes.every((byte) => byte === 0));
		if (child.exitCode !== 1) throw new Error(`QEMU ended with ${child.exitCode} in case ${done}`);
		return results;
	} finally {
		rmSync(folder, {recursive: true});
	}
}
