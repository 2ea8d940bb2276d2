import type {GuestMemory} from '#devices/guest-memory';
import {GuestView} from '#vcpu-worker/guest-view';
import type {CpuBackend} from '#vcpu-worker/hypervisor';
import {isReturn, unwind} from './unwind.ts';
import {maxFrames, maxStackBytes, sampleState, VcpuSample, type VcpuSampleView} from './vcpu-sample.ts';

const stateWord = VcpuSample.word('state');
/** EFER.LMA and CR0.PE (Intel SDM volume 3, 2.2.1 and 2.5), RFLAGS.VM (2.3). */
const longModeActive = 1n << 10n;
const protection = 1n;
const virtual8086 = 1n << 17n;
const noBytes = new Uint8Array(0);

/** The vCPU's thread: says where the processor is when somebody has asked. One load when nobody has. */
export function answerSample(sample: VcpuSampleView, cpu: CpuBackend, memory: GuestMemory): void {
	if (Atomics.load(sample.$atomic, stateWord) !== sampleState.asked) return;
	let answer: number = sampleState.answered;
	try {
		writeSample(sample, cpu, memory);
	} catch {
		// What cannot be read is no sample, and asking never stops a machine.
		answer = sampleState.idle;
	}
	// Fails when the asker has withdrawn: nobody reads the sample then.
	Atomics.compareExchange(sample.$atomic, stateWord, sampleState.asked, answer);
}

function writeSample(sample: VcpuSampleView, cpu: CpuBackend, memory: GuestMemory): void {
	const {executed, isWaiting} = cpu.place();
	const {rip, rsp, rbp, rflags} = cpu.readGeneral();
	const special = cpu.readSpecial();
	const {cs, ss, cr0, cr3, efer} = special;
	const is64 = cs.l && (efer & longModeActive) !== 0n;
	const linear = (base: bigint, offset: bigint) => (is64 ? offset : BigInt.asUintN(32, base + offset));
	const next = linear(cs.base, rip);
	// What has led to another privilege is over.
	const at = executed === undefined || executed >> 63n !== next >> 63n ? next : executed;
	const view = new GuestView(memory, special);
	const hasReturned = next !== at && isReturn(view, at);
	const start = {at, next, hasReturned, frame: linear(ss.base, rbp), wordBytes: is64 ? 8 : 4} as const;
	// Code of 16 bits has no calls that could be told.
	const frames = is64 || cs.db ? unwind(view, start, maxFrames) : [at];
	sample.isWaiting = isWaiting ? 1 : 0;
	sample.isUser = (cr0 & protection) !== 0n && ((rflags & virtual8086) !== 0n || (cs.selector & 3) === 3) ? 1 : 0;
	sample.space = cr3;
	sample.count = frames.length;
	for (const [index, frame] of frames.entries()) sample.frames[index] = frame;
	const stack = is64 && next >> 63n === 1n && !isWaiting ? view.read(rsp, maxStackBytes) : noBytes;
	sample.next = next;
	sample.stackPointer = rsp;
	sample.framePointer = rbp;
	sample.hasReturned = hasReturned ? 1 : 0;
	sample.stackBytes = stack.length;
	sample.stack.set(stack);
}
