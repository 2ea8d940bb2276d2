import {type AssembledProgram, createAssembler} from '#flowey/x86-assembler';
import {emitAcpi, emitAcpiData} from './acpi.ts';
import {emitEntry, emitTrampoline} from './boot.ts';
import {emitConsole, emitConsoleData} from './console.ts';
import {emitCpus, emitCpusData} from './cpus.ts';
import {emitGdt, emitIdt, emitPageTables, fillIdt} from './descriptor-tables.ts';
import {writePvhElf} from './elf.ts';
import {emitExceptions, handlerLabel} from './exceptions.ts';
import {cpuPages, imageAddress, memoryEnd} from './layout.ts';
import {emitMain} from './main.ts';
import {emitModes} from './modes.ts';
import {emitOptions, emitOptionsData} from './options.ts';
import {emitPower} from './power.ts';
import {emitReport, emitReportData} from './report.ts';
import {Texts} from './text.ts';
import {emitTime, emitTimeData} from './time.ts';
import {emitUserMode} from './user-mode.ts';
import {emitUserWork, emitUserWorkData} from './user-work.ts';

/** The guest that runs when no other is given. */
export interface EmbeddedGuest {
	/** An ELF-64 executable with a PVH entry note; boots with any PVH loader. */
	readonly image: Uint8Array;
	/** The same program without ELF, to be copied to {@link loadAddress}. */
	readonly flat: Uint8Array;
	readonly loadAddress: number;
	/** Bytes from the load address that the guest uses; those behind the image must be zero. */
	readonly memorySize: number;
	/** Entry point: 32-bit protected mode, paging off, flat segments, EBX pointing at `hvm_start_info`. */
	readonly entry: number;
	/** Guest-physical address of the 64-bit count of chunks handed out: rises while the guest works. */
	readonly progressAddress: number;
}

/** Assembles the guest; takes some milliseconds. Its parts are the `emit…` functions of this folder. */
export function embeddedGuest(): EmbeddedGuest {
	const {bytes, labels} = assembleGuest();
	const addressOf = (label: string): number => labels.get(label) ?? 0;
	const idt = new DataView(bytes.buffer, addressOf('idt') - imageAddress);
	fillIdt(idt, (vector) => addressOf(handlerLabel(vector)));
	const program = {
		bytes,
		loadAddress: imageAddress,
		memorySize: memoryEnd - imageAddress,
		entry: addressOf('entry'),
	};
	return {
		image: writePvhElf(program),
		flat: bytes,
		loadAddress: imageAddress,
		memorySize: program.memorySize,
		entry: program.entry,
		progressAddress: addressOf('next-chunk'),
	};
}

function assembleGuest(): AssembledProgram {
	const asm = createAssembler({origin: imageAddress, bits: 32});
	const texts = new Texts(asm);
	emitPageTables(asm, imageAddress);
	emitEntry(asm);
	emitTrampoline(asm);
	emitMain(asm, texts);
	emitOptions(asm);
	emitConsole(asm);
	emitAcpi(asm);
	emitTime(asm);
	emitCpus(asm);
	emitUserMode(asm);
	emitReport(asm, texts);
	emitModes(asm, texts);
	emitPower(asm, texts);
	emitExceptions(asm, texts);
	emitUserWork(asm);
	emitGdt(asm);
	emitIdt(asm);
	for (const emitData of [emitConsoleData, emitAcpiData, emitTimeData, emitCpusData, emitReportData]) emitData(asm);
	emitOptionsData(asm, texts);
	emitUserWorkData(asm);
	texts.emit();
	const program = asm.finish();
	if (program.bytes.length > cpuPages - imageAddress) throw new Error('The guest does not fit its place');
	return program;
}
