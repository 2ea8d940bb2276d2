import type {AccessContext, Halves, Hypercall} from '#devices/device';
import {deviceType} from '#devices/device-type';
import type {BootRegisters, DescriptorTable, GeneralRegisters, Intercept, Segment, Vtl} from '#devices/processor';
import {below, oneOf, unchecked, within} from '#support/trust';
import {
	array,
	bits,
	bytes,
	flag,
	GuestReader,
	type PlainOf,
	packed,
	range,
	reserved,
	u8,
	u16,
	u32,
	u64,
	wire,
} from '#support/wire';

/** Call codes (Hyper-V TLFS, "Hypercall Reference"), and the bit of a call whose input is in registers. */
export const Code = {
	PROTECT: 0x0c,
	ENABLE_PARTITION: 0x0d,
	ENABLE_VP: 0x0f,
	CALL: 0x11,
	RETURN: 0x12,
	SET: 0x51,
} as const;
export const fastCall = 0x1_0000;
/** TLFS, "Hypercall Status Codes". */
export const Status = {
	SUCCESS: 0,
	INVALID_INPUT: 3,
	INVALID_PARAMETER: 5,
	ACCESS_DENIED: 6,
	INVALID_STATE: 7,
	INVALID_VP: 14,
} as const;

const segment = packed('hv_x64_segment_register', {
	base: u64,
	limit: u32,
	selector: u16,
	attributes: bits(u16, {
		type: range(3, 0),
		s: flag(4),
		dpl: range(6, 5),
		present: flag(7),
		l: flag(13),
		db: flag(14),
		g: flag(15),
	}),
}).sized(16);
const table = packed('hv_x64_table_register', {padding: reserved(6), limit: u16, base: u64}).sized(16);
/** State that a level of a processor begins with (TLFS, HV_INITIAL_VP_CONTEXT). */
export const Context = packed('hv_initial_vp_context', {
	...{rip: u64, rsp: u64, rflags: u64},
	...{cs: segment, ds: segment, es: segment, fs: segment, gs: segment, ss: segment, tr: segment, ldt: segment},
	...{idt: table, gdt: table, efer: u64, cr0: u64, cr3: u64, cr4: u64, pat: u64},
}).sized(224, 'TLFS, HV_INITIAL_VP_CONTEXT');
export const EnableVpVtl = packed('hv_enable_vp_vtl', {
	...{partition: u64, vp: u32, vtl: u8, padding: reserved(3), context: bytes(224)},
}).sized(240, 'TLFS, HvCallEnableVpVtl');
/** A list of page numbers follows. */
export const Protect = packed('hv_modify_vtl_protection_mask', {
	...{partition: u64, flags: u32, vtl: u8, padding: reserved(3)},
}).sized(16, 'TLFS, HvCallModifyVtlProtectionMask');
const Page = packed('gpa_page', {number: u64});
/** One register: the number of elements is that of repeats, which is 1 here. */
export const SetRegister = packed('hv_set_vp_registers', {
	...{partition: u64, vp: u32, vtl: u8, padding: reserved(3), name: u32, rest: reserved(12), value: u64, high: u64},
}).sized(48, 'TLFS, HvCallSetVpRegisters');
/** The first slot of a message page, with the intercept of an access to memory (TLFS, HV_X64_MEMORY_INTERCEPT_MESSAGE). */
export const Message = packed('hv_message_gpa_intercept', {
	...{type: u32, payload: u8, flags: u8, reserved: u16, sender: u64},
	...{vp: u32, instruction: u8, access: u8, execution: u16, cs: segment, rip: u64, rflags: u64},
	...{cache: u32, instructionBytes: u8, info: u8, tpr: u8, more: u8, gva: u64, gpa: u64, code: bytes(16)},
}).sized(96, 'TLFS, "Messages" and "Intercept Messages"');
const gpaIntercept = 0x8000_0001;
const accessTypes = {read: 0, write: 1, execute: 2} as const;

/** HV_PARTITION_ID_SELF, HV_VP_INDEX_SELF. */
export const [selfPartition, selfVp] = [0xffff_ffff_ffff_ffffn, 0xffff_fffe];
/** Name of the first general register; the others follow in the order of their encodings (TLFS, HV_REGISTER_NAME). */
export const firstRegister = 0x2_0000;
const general: readonly (keyof GeneralRegisters)[] = [
	...([
		'rax',
		'rcx',
		'rdx',
		'rbx',
		'rsp',
		'rbp',
		'rsi',
		'rdi',
		'r8',
		'r9',
		'r10',
		'r11',
		'r12',
		'r13',
		'r14',
		'r15',
	] as const),
	...(['rip', 'rflags'] as const),
];
/** A level other than the caller's, in its bits 3:0 (TLFS, HV_INPUT_VTL). */
export const useTarget = 0x10;
/** HV_X64_MSR_SIMP: where the level's message page is, and in bit 0 that it is on. */
const messagePage = 0x4000_0083;
const [pageSize, mostPages, pat] = [4096, 510, 0x277];
const mostProcessors = 64;

const Processor = wire('vp-vtl', {
	...{enabled: u32, begun: u32, context: bytes(Context.size), messagesLow: u32, messagesHigh: u32},
});
const State = wire('trust-level', {enabled: u32, processors: array(Processor, mostProcessors)});

/** A paravisor's trust level: the calls that set it up, change between it and the guest's, and guard pages; and what guards report. */
export const trustLevelType = deviceType({
	kind: 'trust-level',
	summary: 'A virtual trust level',
	options: {
		level: {type: 'number', min: 1, max: 2, default: 2, help: 'the level'},
		processors: {type: 'number', min: 1, max: mostProcessors, default: 1, help: 'of the machine'},
	},
	state: State,
	attach: {
		regions: ({level}) => [
			{space: 'hypercall', name: 'modify-vtl-protection-mask', base: Code.PROTECT, length: 1},
			{space: 'hypercall', name: 'enable-partition-vtl', base: Code.ENABLE_PARTITION, length: 1},
			{space: 'hypercall', name: 'enable-vp-vtl', base: Code.ENABLE_VP, length: 1},
			{space: 'hypercall', name: 'vtl-call', base: Code.CALL, length: 1},
			{space: 'hypercall', name: 'vtl-return', base: Code.RETURN, length: 1},
			{space: 'hypercall', name: 'set-vp-registers', base: Code.SET, length: 1},
			{space: 'msr', name: 'message-page', base: messagePage, length: 1},
			{space: 'intercept', name: 'guard', base: level, length: 1},
		],
	},
	front({processors, level}, state, {access, memory}) {
		const vtl = level as Vtl;
		const [enables, protects] = [new GuestReader(EnableVpVtl, memory), new GuestReader(Protect, memory)];
		const [pages, sets] = [new GuestReader(Page, memory), new GuestReader(SetRegister, memory)];
		const here = () => state.processors[access.vp ?? mostProcessors];

		const enablePartition = ({control, input, output}: Hypercall): number => {
			if ((control.low & fastCall) === 0) return Status.INVALID_INPUT;
			const isSelf = input.low === 0xffff_ffff && input.high === 0xffff_ffff;
			if (!isSelf || (output.low & 0xff) !== level) return Status.INVALID_PARAMETER;
			if (state.enabled !== 0) return Status.INVALID_STATE;
			state.enabled = 1;
			return Status.SUCCESS;
		};
		const enableProcessor = (hypercall: Hypercall): number => {
			const call = enables.load(inputOf(hypercall));
			if (call === undefined) return Status.INVALID_INPUT;
			if (unchecked(call.partition) !== selfPartition || oneOf(call.vtl, [level]) === undefined)
				return Status.INVALID_PARAMETER;
			const vp = oneOf(call.vp, [selfVp]) === undefined ? below(call.vp, processors) : access.vp;
			const processor = vp === undefined ? undefined : state.processors[vp];
			if (processor === undefined) return Status.INVALID_VP;
			if (state.enabled === 0 || processor.enabled !== 0) return Status.INVALID_STATE;
			processor.enabled = 1;
			processor.context.set(call.context);
			return Status.SUCCESS;
		};
		/** Has the processor go on at the level, as it was left there. */
		const enter = (): boolean => {
			const [{levels}, processor] = [access, here()];
			if (levels === undefined || processor === undefined || processor.enabled === 0) return false;
			if (processor.begun === 0) levels.setRegisters(vtl, beginning(Context.read(processor.context)));
			processor.begun = 1;
			levels.enter(vtl);
			return true;
		};
		const call = (): number =>
			(access.levels?.current ?? level) < level && enter() ? Status.SUCCESS : Status.INVALID_STATE;
		const giveBack = ({levels}: AccessContext): number => {
			if (levels?.current !== level) return Status.INVALID_STATE;
			levels.enter(0);
			return Status.SUCCESS;
		};
		const protect = (hypercall: Hypercall): number => {
			const [{levels}, at] = [access, inputOf(hypercall)];
			const header = protects.load(at);
			const count = hypercall.control.high & 0xfff;
			if (header === undefined || count > mostPages) return Status.INVALID_INPUT;
			const rights = within(header.flags, 0, 15);
			if (levels?.current !== level || rights === undefined) return Status.ACCESS_DENIED;
			if (unchecked(header.partition) !== selfPartition || oneOf(header.vtl, [0]) === undefined)
				return Status.INVALID_PARAMETER;
			for (let done = 0; done < count; done++) {
				const page = pages.load(at + Protect.size + done * Page.size);
				const number = page && Number(unchecked(page.number));
				if (number === undefined || !levels.protect(vtl, number * pageSize, pageSize, rights))
					return Status.INVALID_PARAMETER;
				hypercall.result.high = done + 1;
			}
			return Status.SUCCESS;
		};
		const set = (hypercall: Hypercall): number => {
			const given = sets.load(inputOf(hypercall));
			if (given === undefined || (hypercall.control.high & 0xfff) !== 1) return Status.INVALID_INPUT;
			const {levels} = access;
			if (levels?.current !== level) return Status.ACCESS_DENIED;
			const of = oneOf(given.vtl, [useTarget]);
			const at = within(given.name, firstRegister, firstRegister + general.length - 1);
			if (oneOf(given.vp, [selfVp]) === undefined) return Status.INVALID_VP;
			if (of === undefined || at === undefined) return Status.INVALID_PARAMETER;
			levels.setRegisters(0, {general: {[general[at - firstRegister] as string]: unchecked(given.value)}});
			hypercall.result.high = 1;
			return Status.SUCCESS;
		};
		const calls = [protect, enablePartition, enableProcessor, call, () => giveBack(access), set];
		const isLevels = () => access.levels?.current === level;

		return {
			read: () => 0,
			write() {},
			hypercall(region, _offset, made) {
				made.result.low = calls[region]?.(made) ?? Status.INVALID_INPUT;
			},
			readMsr(_region, _offset, value: Halves) {
				const processor = here();
				if (processor === undefined || !isLevels()) return false;
				value.low = processor.messagesLow;
				value.high = processor.messagesHigh;
				return true;
			},
			writeMsr(_region, _offset, value: Halves) {
				const processor = here();
				if (processor === undefined || !isLevels()) return false;
				processor.messagesLow = value.low;
				processor.messagesHigh = value.high;
				return true;
			},
			intercept(_region, _offset, {vtl: from, gpa, access: type}: Intercept) {
				const [{levels, vp}, processor] = [access, here()];
				if (levels === undefined || vp === undefined || processor === undefined) return;
				const registers = levels.registers(from);
				const page = processor.messagesHigh * 2 ** 32 + ((processor.messagesLow & ~0xfff) >>> 0);
				const {rip, rflags} = registers.general;
				const payload = Message.size - 16;
				const message = {type: gpaIntercept, payload, access: accessTypes[type], vp, rip, rflags, gpa: BigInt(gpa)};
				if ((processor.messagesLow & 1) !== 0) memory.copyIn(page, Message.encode(message));
				enter();
			},
		};
	},
});

/** A call whose input is in memory. */
const inputOf = ({control, input}: Hypercall): number =>
	(control.low & fastCall) === 0 ? input.high * 2 ** 32 + input.low : Number.NaN;

const plain = ({base, limit, selector, attributes}: PlainOf<typeof segment>): Segment => {
	const {type, s, dpl, present, l, db, g} = attributes;
	return {base, limit, selector, type, s, dpl, present, l, db, g};
};
const plainTable = ({base, limit}: PlainOf<typeof table>): DescriptorTable => ({base, limit});

function beginning(context: PlainOf<typeof Context>): BootRegisters & {readonly msrs: ReadonlyMap<number, bigint>} {
	const {rip, rsp, rflags, cs, ds, es, fs, gs, ss, tr, ldt, idt, gdt, efer, cr0, cr3, cr4} = context;
	const named = Object.entries({cs, ds, es, fs, gs, ss, tr, ldt}).map(([name, each]) => [name, plain(each)]);
	const tables = {idt: plainTable(idt), gdt: plainTable(gdt)};
	return {
		general: {rip, rsp, rflags},
		special: {...Object.fromEntries(named), ...tables, efer, cr0, cr3, cr4},
		msrs: new Map([[pat, context.pat]]),
	};
}
