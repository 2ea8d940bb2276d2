import {EmulationFlag, Exit, exitName, InternalError, IoDirection} from './constants.ts';
import {KvmEmulationFailure, KvmRun} from './structs-run.ts';
import {KvmDebugExitArch} from './structs-vcpu.ts';

const exit = KvmRun.offset('exit');
const {arms} = KvmRun.fields.exit;

const at = {
	exitReason: KvmRun.offset('exit_reason'),
	requestWindow: KvmRun.offset('request_interrupt_window'),
	readyForInterrupt: KvmRun.offset('ready_for_interrupt_injection'),
	io: {
		direction: exit + arms.io[1].offset('direction'),
		size: exit + arms.io[1].offset('size'),
		port: exit + arms.io[1].offset('port'),
		count: exit + arms.io[1].offset('count'),
		dataOffset: exit + arms.io[1].offset('data_offset'),
	},
	mmio: {
		address: exit + arms.mmio[1].offset('phys_addr'),
		data: exit + arms.mmio[1].offset('data'),
		length: exit + arms.mmio[1].offset('len'),
		isWrite: exit + arms.mmio[1].offset('is_write'),
	},
	msr: {
		error: exit + arms.msr[1].offset('error'),
		reason: exit + arms.msr[1].offset('reason'),
		index: exit + arms.msr[1].offset('index'),
		data: exit + arms.msr[1].offset('data'),
	},
	internal: {
		suberror: exit + arms.internal[1].offset('suberror'),
		count: exit + arms.internal[1].offset('ndata'),
		data: exit + arms.internal[1].offset('data'),
		flags: exit + KvmEmulationFailure.offset('flags'),
		size: exit + KvmEmulationFailure.offset('insn_size'),
		bytes: exit + KvmEmulationFailure.offset('insn_bytes'),
	},
	failEntry: exit + arms.fail_entry[1].offset('hardware_entry_failure_reason'),
	failCpu: exit + arms.fail_entry[1].offset('cpu'),
	system: {
		type: exit + arms.system_event[1].offset('type'),
		count: exit + arms.system_event[1].offset('ndata'),
		data: exit + arms.system_event[1].offset('data'),
	},
	debug: exit + arms.debug[1].offset('arch'),
	eoi: exit + arms.eoi[1].offset('vector'),
	hardwareReason: exit + arms.hw[1].offset('hardware_exit_reason'),
} as const;

/** Width of one access in bytes; wider ones are read in two parts. */
type Width = 1 | 2 | 4;

function load(view: DataView, offset: number, size: Width): number {
	if (size === 1) return view.getUint8(offset);
	return size === 2 ? view.getUint16(offset, true) : view.getUint32(offset, true);
}

function store(view: DataView, offset: number, size: Width, value: number): void {
	if (size === 1) view.setUint8(offset, value);
	else if (size === 2) view.setUint16(offset, value, true);
	else view.setUint32(offset, value, true);
}

/** KVM_EXIT_IO: IN, OUT and their string forms, which come as `count` accesses to one port. */
export class IoExit {
	readonly #view: DataView;
	constructor(view: DataView) {
		this.#view = view;
	}
	/** True for OUT. */
	get isWrite(): boolean {
		return this.#view.getUint8(at.io.direction) === IoDirection.OUT;
	}
	/** Bytes of one access: 1, 2 or 4. */
	get size(): Width {
		return this.#view.getUint8(at.io.size) as Width;
	}
	get port(): number {
		return this.#view.getUint16(at.io.port, true);
	}
	/** Number of accesses, at least 1; together they fit in a page. */
	get count(): number {
		return this.#view.getUint32(at.io.count, true);
	}
	/** Offset of the data, from the start of the mapping. The kernel keeps it below the mapping's size. */
	get dataOffset(): number {
		return this.#view.getUint32(at.io.dataOffset, true);
	}
	/** Value of the `index`th access of an OUT. */
	read(index: number): number {
		const {size} = this;
		return load(this.#view, this.dataOffset + index * size, size);
	}
	/** Answers the `index`th access of an IN. */
	write(index: number, value: number): void {
		const {size} = this;
		store(this.#view, this.dataOffset + index * size, size, value);
	}
}

/** KVM_EXIT_MMIO: an access to an address without memory, of 1 to 8 bytes. */
export class MmioExit {
	readonly #view: DataView;
	constructor(view: DataView) {
		this.#view = view;
	}
	/** Guest-physical address; x86 allows 52 bits, so a number holds it. */
	get address(): number {
		const low = this.#view.getUint32(at.mmio.address, true);
		return low + this.#view.getUint32(at.mmio.address + 4, true) * 2 ** 32;
	}
	/** Bytes, 1 to 8. Not always a power of two. */
	get length(): number {
		return this.#view.getUint32(at.mmio.length, true);
	}
	get isWrite(): boolean {
		return this.#view.getUint8(at.mmio.isWrite) !== 0;
	}
	/** Part of a written value: `size` bytes from byte `offset` on; `offset + size` is at most 8. */
	read(offset: number, size: Width): number {
		return load(this.#view, at.mmio.data + offset, size);
	}
	/** Part of the answer to a read. */
	write(offset: number, size: Width, value: number): void {
		store(this.#view, at.mmio.data + offset, size, value);
	}
}

/** KVM_EXIT_X86_RDMSR and KVM_EXIT_X86_WRMSR. */
export class MsrExit {
	readonly #view: DataView;
	constructor(view: DataView) {
		this.#view = view;
	}
	get index(): number {
		return this.#view.getUint32(at.msr.index, true);
	}
	/** {@link MsrExitReason}: why KVM did not serve it. */
	get reason(): number {
		return this.#view.getUint32(at.msr.reason, true);
	}
	/** The value, in halves so that reading it allocates nothing. */
	get low(): number {
		return this.#view.getUint32(at.msr.data, true);
	}
	get high(): number {
		return this.#view.getUint32(at.msr.data + 4, true);
	}
	/** Answers an RDMSR. */
	answer(low: number, high: number): void {
		this.#view.setUint32(at.msr.data, low, true);
		this.#view.setUint32(at.msr.data + 4, high, true);
		this.#view.setUint8(at.msr.error, 0);
	}
	/** Accepts a WRMSR. */
	accept(): void {
		this.#view.setUint8(at.msr.error, 0);
	}
	/** Makes the instruction fault in the guest (#GP). */
	refuse(): void {
		this.#view.setUint8(at.msr.error, 1);
	}
}

/** KVM's report when it cannot go on. For messages and dumps. */
export interface InternalErrorReport {
	/** {@link InternalError} */
	readonly suberror: number;
	readonly data: readonly bigint[];
	/** The instruction KVM could not emulate, when it says so. */
	readonly instruction: Uint8Array | undefined;
}

/**
 * Reads the last exit from a vCPU's mapped page, on any thread. Getters allocate nothing and are right only for their own
 * exit reason. The guest cannot write this page, the kernel only within KVM_RUN.
 */
export class ExitReader {
	readonly io: IoExit;
	readonly mmio: MmioExit;
	readonly msr: MsrExit;
	readonly #view: DataView;

	/** @param page - the mapped bytes, see `controlBytes` */
	constructor(page: Uint8Array) {
		this.#view = new DataView(page.buffer, page.byteOffset, page.byteLength);
		this.io = new IoExit(this.#view);
		this.mmio = new MmioExit(this.#view);
		this.msr = new MsrExit(this.#view);
	}

	/** {@link Exit}; stale unless KVM_RUN returned 0. */
	get reason(): number {
		return this.#view.getUint32(at.exitReason, true);
	}
	/** The guest can take an external interrupt now (split PIC). */
	get readyForInterrupt(): boolean {
		return this.#view.getUint8(at.readyForInterrupt) !== 0;
	}
	/** Asks for KVM_EXIT_IRQ_WINDOW_OPEN as soon as the guest can take an external interrupt. */
	requestInterruptWindow(wanted: boolean): void {
		this.#view.setUint8(at.requestWindow, wanted ? 1 : 0);
	}
	/** KVM_EXIT_IOAPIC_EOI: the vector whose level-triggered interrupt ended. */
	get eoiVector(): number {
		return this.#view.getUint8(at.eoi);
	}
	/** KVM_EXIT_SYSTEM_EVENT: {@link SystemEvent} and its data. */
	systemEvent(): {readonly type: number; readonly data: readonly bigint[]} {
		const type = this.#view.getUint32(at.system.type, true);
		return {type, data: this.#words(at.system.data, this.#view.getUint32(at.system.count, true))};
	}
	/** KVM_EXIT_FAIL_ENTRY: the processor's own code, and the host processor it happened on. */
	failEntry(): {readonly hardwareReason: bigint; readonly cpu: number} {
		const hardwareReason = this.#view.getBigUint64(at.failEntry, true);
		return {hardwareReason, cpu: this.#view.getUint32(at.failCpu, true)};
	}
	/** KVM_EXIT_UNKNOWN: the processor's own exit code. */
	hardwareReason(): bigint {
		return this.#view.getBigUint64(at.hardwareReason, true);
	}
	/** KVM_EXIT_DEBUG: exception vector (1 or 3), linear address, DR6 and DR7. */
	debug(): {readonly exception: number; readonly pc: bigint; readonly dr6: bigint; readonly dr7: bigint} {
		const {exception, pc, dr6, dr7} = KvmDebugExitArch.read(this.#view, at.debug);
		return {exception, pc, dr6, dr7};
	}
	/** KVM_EXIT_INTERNAL_ERROR. */
	internalError(): InternalErrorReport {
		const suberror = this.#view.getUint32(at.internal.suberror, true);
		const data = this.#words(at.internal.data, this.#view.getUint32(at.internal.count, true));
		const flags = data.length === 0 ? 0 : this.#view.getUint32(at.internal.flags, true);
		const hasBytes = suberror === InternalError.EMULATION && (flags & EmulationFlag.INSTRUCTION_BYTES) !== 0;
		return {suberror, data, instruction: hasBytes ? this.#instruction() : undefined};
	}
	/** One line about the exit, for messages: its name and what it carries. */
	describe(): string {
		const {reason} = this;
		const name = exitName(reason);
		if (reason === Exit.IO) return `${name} ${this.io.isWrite ? 'out' : 'in'} port 0x${this.io.port.toString(16)}`;
		if (reason === Exit.MMIO)
			return `${name} ${this.mmio.isWrite ? 'write' : 'read'} 0x${this.mmio.address.toString(16)}`;
		if (reason === Exit.FAIL_ENTRY) return `${name} reason 0x${this.failEntry().hardwareReason.toString(16)}`;
		if (reason === Exit.UNKNOWN) return `${name} 0x${this.hardwareReason().toString(16)}`;
		if (reason !== Exit.INTERNAL_ERROR) return name;
		const {suberror, instruction} = this.internalError();
		const bytes = instruction === undefined ? '' : `, instruction ${Buffer.from(instruction).toString('hex')}`;
		return `${name} suberror ${suberror}${bytes}`;
	}

	#words(offset: number, count: number): bigint[] {
		return Array.from({length: Math.min(count, 16)}, (_, index) => this.#view.getBigUint64(offset + index * 8, true));
	}

	#instruction(): Uint8Array {
		const size = Math.min(this.#view.getUint8(at.internal.size), 15);
		const start = this.#view.byteOffset + at.internal.bytes;
		return new Uint8Array(this.#view.buffer, start, size).slice();
	}
}
