import {type Assembler, al, createAssembler, dword, eax, rax, rbp} from '#flowey/x86-assembler';
import {type Doorbell, type GuestEnd, GuestThreads} from '#vcpu-worker/software/system/testing';

const [gdtAt, idtAt, codeAt, stacksAt] = [0x20_0000, 0x20_1000, 0x21_0000, 0x22_0000];
const stackBytes = 0x1000;
const pageFault = 14;
const breakpoint = 3;
const doorbell: Doorbell = {port: 0x99, vector: 0x50, gdt: gdtAt, idt: idtAt};

/** Each processor's words lie so far behind those of the one before. */
export const lineBytes = 64;
/** Words by which processors talk. */
export const words = {request: 0x23_0000, end: 0x23_0040, acknowledged: 0x23_0080} as const;

/** What processors do: the first one changes something, the others use it, with interrupts open. RBP is 64 times the processor's number. */
export interface RacePrograms {
	/** Changes; `sync` interrupts all others and waits until they have acknowledged. */
	readonly changer: (asm: Assembler, sync: () => void) => void;
	/** A round, over and over until the changer has ended. */
	readonly user: (asm: Assembler) => void;
	/** What users do before they acknowledge; it may use RAX. */
	readonly acknowledge: (asm: Assembler) => void;
	/** Handler of #PF and #BP, until IRETQ. */
	readonly exception: (asm: Assembler) => void;
	/** First values of registers, by their numbers. */
	readonly general: Readonly<Record<number, number>>;
}

/** Processors on threads of their own, which can interrupt each other. */
export class InterruptingGuests {
	readonly guest: GuestThreads;
	readonly #processors: number;

	constructor(processors: number) {
		this.#processors = processors;
		this.guest = new GuestThreads(processors);
	}

	/** Runs until the changer has ended. */
	run(programs: RacePrograms): Promise<readonly GuestEnd[]> {
		const {ram} = this.guest.lone;
		const {bytes, labels} = assemble(programs, this.#processors);
		const addressOf = (label: string) => labels.get(label) as number;
		ram.set(bytes, codeAt);
		const quads = new BigUint64Array(ram.buffer);
		quads.set([0n, 0x00af_9b00_0000_ffffn, 0x00cf_9300_0000_ffffn], gdtAt / 8);
		for (const [vector, label] of [
			[doorbell.vector, 'interrupt'],
			[pageFault, 'exception'],
			[breakpoint, 'exception'],
		] as const) {
			const at = BigInt(addressOf(label));
			quads[idtAt / 8 + vector * 2] = (at & 0xffffn) | (8n << 16n) | (0x8en << 40n) | ((at >> 16n) << 48n);
		}
		const starts = Array.from({length: this.#processors}, (_, self) => {
			const general = Array.from({length: 16}, (_, register) => BigInt(programs.general[register] ?? 0));
			general[4] = BigInt(stacksAt + (self + 1) * stackBytes);
			general[5] = BigInt(self * lineBytes);
			return {entry: addressOf(self === 0 ? 'changer' : 'user'), general};
		});
		this.guest.start(starts, doorbell);
		return this.guest.ends();
	}
}

function assemble(programs: RacePrograms, processors: number) {
	const asm = createAssembler({origin: codeAt, bits: 64});
	const {label, unique, mov, cmp, jne, je, hlt, sti, push, pop, iretq, inc, pause, out} = asm;
	const sync = () => {
		inc(dword(words.request));
		mov(eax, dword(words.request));
		out(doorbell.port, al);
		for (let other = 1; other < processors; other++) {
			const waiting = unique('waiting');
			label(waiting);
			pause();
			cmp(dword(words.acknowledged + other * lineBytes), eax);
			jne(waiting);
		}
	};
	label('changer');
	programs.changer(asm, sync);
	inc(dword(words.end));
	hlt();
	label('user');
	sti();
	label('again');
	programs.user(asm);
	cmp(dword(words.end), 0);
	je('again');
	hlt();
	label('interrupt');
	push(rax);
	programs.acknowledge(asm);
	mov(eax, dword(words.request));
	mov(dword(rbp, words.acknowledged), eax);
	pop(rax);
	iretq();
	label('exception');
	programs.exception(asm);
	iretq();
	return asm.finish();
}
