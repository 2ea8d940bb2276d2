import {isDeepStrictEqual} from 'node:util';
import type {Random} from '#test/silicon';
import type {CodeDifference} from '#vcpu-worker/hypervisor';
import {enterVcpu, type LoneVcpu, LoneVcpus} from '#vcpu-worker/software/back-end/testing';
import {Lockstep} from '#vcpu-worker/software/lockstep';
import {CpuState, memoryMap, ownRequests, tlbBytes, tlbEntry} from '#vcpu-worker/software/state';
import type {ProcessorStop} from '#vcpu-worker/software/system';
import {beginLongMode} from './long-mode.ts';
import {type Mode, makeScene, ramRanges, rom, stir} from './random-scene.ts';

/** Most that is executed behind the end of a budget: a block, or so many elements of a port string. */
export const maxOverrun = 1100;
const runs = 24;
const maxBudget = 400;
const zeros = new Uint8Array(0x1_0000);
/** What lies between the parts of a processor's own memory: the bytes of code are those of a page, and of an instruction that ends in the next. */
const gaps = [
	[CpuState.size, memoryMap.decoding],
	[memoryMap.code + 4096 + 15, memoryMap.tlb],
] as const;
const endings: readonly ProcessorStop[] = ['polled', 'halted', 'shutdown', 'window'];
/** Bits of RFLAGS that are no status flags, with bit 1, which is always set. */
const controlFlags = 0x3f_7702;
const stackMasks = [0xffffn, 0xffff_ffffn, 2n ** 64n - 1n];

/** A processor that executes one scene after the other, and what must be true of it whatever its guest does. */
export class HostileMachine {
	readonly vcpu;
	readonly #vcpus: LoneVcpus;
	readonly #ram: readonly Uint8Array[];
	#random: Random | undefined;
	/** What differs between translations and the interpreter. */
	readonly #found: string[] = [];

	private constructor(vcpus: LoneVcpus, vcpu: Awaited<ReturnType<typeof enterVcpu>>, isCompared: boolean) {
		this.#vcpus = vcpus;
		this.vcpu = vcpu;
		this.#ram = this.#vcpus.memory.ranges.map(
			({memory, offset, length}) => new Uint8Array(memory.buffer, offset, length),
		);
		const {processor} = this.vcpu;
		const {devices} = processor.mmu;
		const isRom = (gpa: number) => gpa >= rom.gpa && gpa < rom.gpa + rom.length;
		processor.mmu.devices = {
			read: (gpa, bytes) => (isRom(gpa) ? Math.imul(gpa, 0x9e37_79b1) : devices.read(gpa, bytes)),
			write: (gpa, bytes, value) => {
				if (!isRom(gpa)) devices.write(gpa, bytes, value);
			},
		};
		// The same seed makes the same case, but for what goes by the clock of the local APIC.
		Object.assign(processor.outside, {
			random: () => this.#random?.u64() ?? 0n,
			counter: () => processor.core.state.instructions,
		});
		const found = ({address, executed, text}: CodeDifference) =>
			void this.#found.push(`at ${address.toString(16)}, ${executed} instructions: ${text}`);
		if (isCompared)
			processor.lockstep = new Lockstep(processor, {found, random: () => (this.#random?.u32() ?? 0) / 2 ** 32});
	}

	/**
	 * @param processors - of which it has the first one
	 * @param isCompared - what it executes is translated, and compared with the interpreter
	 */
	static async make(processors = 1, isCompared = false): Promise<HostileMachine> {
		const vcpus = new LoneVcpus(processors, ramRanges);
		return new HostileMachine(vcpus, await enterVcpu(vcpus.of(0)), isCompared);
	}

	/** Number of instructions that it has executed. */
	get executed(): bigint {
		return this.vcpu.processor.core.state.instructions;
	}

	/** What another thread makes the second one from. */
	get second(): LoneVcpu {
		return this.#vcpus.of(1);
	}

	/** Executes a scene for some thousand instructions. @returns what was not as it must be */
	run(random: Random, mode: Mode): readonly string[] {
		const {vcpu} = this;
		const {processor} = vcpu;
		const {state} = processor.core;
		this.#random = random;
		vcpu.reset();
		this.#found.length = 0;
		// Half of them are translated as soon as they are executed; all that are compared.
		processor.heat = processor.lockstep === undefined && random.below(2) === 0 ? undefined : 1;
		const scene = new Uint8Array(ramRanges[0].length);
		makeScene(random, mode, scene, processor);
		// As a loader does, which tells processors of the code that they had decoded there.
		this.#vcpus.memory.copyIn(0, scene);
		for (const ram of this.#ram.slice(1)) for (let at = 0; at < ram.length; at += 8) ram[at] = random.u32();
		if (random.oneIn(2)) vcpu.apic.writePage(0xf0, 4, 0x1ff);
		processor.changed();
		const wrong: string[] = [];
		for (let run = 0; run < runs; run++) {
			processor.windowWanted = random.oneIn(4);
			const stop = this.#execute(random.below(maxBudget));
			if (!endings.includes(stop)) wrong.push(`it ends by ${stop}`);
			if (state.budget < -maxOverrun) wrong.push(`it went on for ${-state.budget} instructions`);
			if (stop === 'shutdown' || !this.#interrupt(random, stop)) break;
			if (random.oneIn(4)) wrong.push(...this.#checkDerived());
			if (random.oneIn(3)) stir(random, processor);
		}
		return [...wrong, ...this.#found, ...this.#check()];
	}

	/** What others ask for, such as its local APIC, is seen to between two runs. */
	#execute(budget: number): ProcessorStop {
		const {processor} = this.vcpu;
		Atomics.and(processor.core.state.$atomic, CpuState.word('request'), ownRequests);
		return processor.run(budget);
	}

	/** Delivers what a local APIC, a device or another processor may. @returns false after a triple fault */
	#interrupt(random: Random, stop: ProcessorStop): boolean {
		const {processor, apic} = this.vcpu;
		if (random.oneIn(24)) return processor.nmi();
		if (!processor.canInterrupt) return true;
		const vector = apic.accept() ?? (stop === 'window' || random.oneIn(4) ? 16 + random.below(240) : undefined);
		return vector === undefined || processor.interrupt(vector);
	}

	/** What is not as it must be. */
	#check(): string[] {
		const {processor} = this.vcpu;
		const {core} = processor;
		const {state} = core;
		const wrong: string[] = [];
		const require = (isSo: boolean, what: string) => {
			if (!isSo) wrong.push(what);
		};
		const [cr0, efer, cr4] = [state.cr0, state.efer, state.cr4];
		const [isPaged, isProtected] = [(cr0 & (1n << 31n)) !== 0n, (cr0 & 1n) !== 0n];
		const isLong = (efer & 0x400n) !== 0n;
		require(this.#vcpus.isIntact, 'memory beside RAM has been written');
		for (const [begin, end] of gaps) {
			const gap = new Uint8Array(core.memory, begin, end - begin);
			require(Buffer.compare(gap, zeros.subarray(0, gap.length)) === 0, 'memory of its own has been written');
		}
		require(!isPaged || isProtected, 'paging without protection');
		require(isLong === (isPaged && (efer & 0x100n) !== 0n), `EFER ${efer.toString(16)}, CR0 ${cr0.toString(16)}`);
		require(!isLong || (cr4 & 0x20n) !== 0n, 'long mode without PAE');
		require((state.controlFlags & ~controlFlags) === 0 &&
			(state.controlFlags & 2) !== 0, `flags ${state.controlFlags.toString(16)}`);
		require((state.controlFlags & 0x2_0000) === 0 || (isProtected && !isLong), 'virtual-8086 mode where there is none');
		require((state.mxcsr & ~0xffff) === 0, `MXCSR ${state.mxcsr.toString(16)}`);
		require(stackMasks.includes(state.stackMask), `stack of ${state.stackMask.toString(16)}`);
		require(state.cr3 >> 52n === 0n, `CR3 ${state.cr3.toString(16)}`);
		require(((state.debug[7] as bigint) & 0x400n) !== 0n && (state.debug[7] as bigint) >> 32n === 0n, 'DR7');
		return [...wrong, ...this.#checkTlb(), ...this.#checkDerived()];
	}

	/** What follows from registers, and decides on what a guest may do, is as the registers are. */
	#checkDerived(): string[] {
		const {processor} = this.vcpu;
		const {core, mmu} = processor;
		const {state} = core;
		const derived = () => {
			const {tlb, modeKey, stackMask, vectorFault, mmxFault, x87Fault, waitFault, flagsAreVirtual, poppableFlags} =
				state;
			const of = {tlb, modeKey, stackMask, vectorFault, mmxFault, x87Fault, waitFault, flagsAreVirtual, poppableFlags};
			return {...of, isLong: mmu.isLong, mode: mmu.mode};
		};
		const before = derived();
		core.privilegeInputs.fill(-1);
		processor.changed();
		const after = derived();
		if (!isDeepStrictEqual(before, after))
			return [`it went by ${JSON.stringify(before, plain)}, not ${JSON.stringify(after, plain)}`];
		return [];
	}

	/** Entries of the TLB lead to RAM alone. */
	#checkTlb(): string[] {
		const {core, mmu} = this.vcpu.processor;
		for (const table of mmu.tables) {
			const entries = new BigInt64Array(core.memory, table, tlbBytes / 8);
			for (let at = 0; at < entries.length; at += tlbEntry.size / 8) {
				const [read, write, addend] = [entries[at], entries[at + 1], entries[at + 2]] as [bigint, bigint, bigint];
				for (const page of [read, write]) {
					if (page === -1n) continue;
					const target = Number(BigInt.asUintN(64, page + addend));
					const isRam = this.#vcpus.memory.ranges.some(
						({offset, length}) => target >= offset && target + 4096 <= offset + length,
					);
					if (!isRam || target % 4096 !== 0) return [`the TLB leads ${page.toString(16)} to ${target.toString(16)}`];
				}
			}
		}
		return [];
	}

	/** Resets the processor, and has it execute a program whose result is known. @returns whether that is right */
	works(): boolean {
		const {vcpu} = this;
		vcpu.reset();
		const [tables, code] = [0x5000, 0x1_0000];
		const image = new Uint8Array(ramRanges[0].length);
		const view = new DataView(image.buffer);
		view.setBigUint64(tables, BigInt(tables + 0x1000) | 7n, true);
		view.setBigUint64(tables + 0x1000, BigInt(tables + 0x2000) | 7n, true);
		view.setBigUint64(tables + 0x2000, 0x87n, true);
		image.set(knownProgram, code);
		this.#vcpus.memory.copyIn(0, image);
		beginLongMode(vcpu.processor, {rip: code, tables, stack: 0x2_0000});
		return this.#execute(10_000) === 'halted' && vcpu.processor.core.state.general[0] === knownResult;
	}
}

const plain = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString(16) : value);

/** Sums 1 to 100 by calls through memory, multiplies as floating point: MOV ECX,100; again: PUSH RCX; CALL add; POP RCX; LOOP again;
 * CVTSI2SD XMM0,RBX; ADDSD XMM0,XMM0; CVTTSD2SI RAX,XMM0; HLT; add: ADD RBX,[RSP+8]; RET. */
const knownProgram = [
	...[0xb9, 100, 0, 0, 0, 0x51, 0xe8, 0x12, 0, 0, 0, 0x59, 0xe2, 0xf7],
	...[0xf2, 0x48, 0x0f, 0x2a, 0xc3, 0xf2, 0x0f, 0x58, 0xc0, 0xf2, 0x48, 0x0f, 0x2c, 0xc0, 0xf4],
	...[0x48, 0x03, 0x5c, 0x24, 8, 0xc3],
];
const knownResult = 10_100n;
