/** `struct kvm_run`, the page that every exit is read from. */
import {array, bytes, reserved, u8, u16, u32, u64, union, wire} from '#support/wire';
import {Exit} from './constants.ts';
import {KvmDebugExitArch, KvmRegs, KvmSregs, KvmVcpuEvents} from './structs-vcpu.ts';

/** Registers kept in the mapped page by `KVM_CAP_SYNC_REGS`. */
export const KvmSyncRegs = wire('kvm_sync_regs', {regs: KvmRegs, sregs: KvmSregs, events: KvmVcpuEvents}).sized(520);

/** Details of an exit, by its reason. Names are those of the members of C's anonymous union. */
const exit = union(
	'exit_reason',
	{
		hw: [Exit.UNKNOWN, wire('hw', {hardware_exit_reason: u64})],
		fail_entry: [Exit.FAIL_ENTRY, wire('fail_entry', {hardware_entry_failure_reason: u64, cpu: u32})],
		ex: [Exit.EXCEPTION, wire('ex', {exception: u32, error_code: u32})],
		io: [Exit.IO, wire('io', {direction: u8, size: u8, port: u16, count: u32, data_offset: u64})],
		debug: [Exit.DEBUG, wire('debug', {arch: KvmDebugExitArch})],
		mmio: [Exit.MMIO, wire('mmio', {phys_addr: u64, data: bytes(8), len: u32, is_write: u8})],
		hypercall: [Exit.HYPERCALL, wire('hypercall', {nr: u64, args: array(u64, 6), ret: u64, longmode: u32})],
		tpr_access: [Exit.TPR_ACCESS, wire('tpr_access', {rip: u64, is_write: u32})],
		internal: [Exit.INTERNAL_ERROR, wire('internal', {suberror: u32, ndata: u32, data: array(u64, 16)})],
		system_event: [Exit.SYSTEM_EVENT, wire('system_event', {type: u32, ndata: u32, data: array(u64, 16)})],
		eoi: [Exit.IOAPIC_EOI, wire('eoi', {vector: u8})],
		msr: [
			[Exit.X86_RDMSR, Exit.X86_WRMSR],
			wire('msr', {error: u8, padding: reserved(7), reason: u32, index: u32, data: u64}),
		],
		notify: [Exit.NOTIFY, wire('notify', {flags: u32})],
	},
	256,
);

/** The member `emulation_failure` of the union: an internal error whose `suberror` is `EMULATION`. */
export const KvmEmulationFailure = wire('emulation_failure', {
	suberror: u32,
	ndata: u32,
	flags: u64,
	insn_size: u8,
	insn_bytes: bytes(15),
});

/** `struct kvm_run` (Documentation/virt/kvm/api.rst, section 5). */
export const KvmRun = wire('kvm_run', {
	request_interrupt_window: u8,
	immediate_exit: u8,
	padding: reserved(6),
	exit_reason: u32,
	ready_for_interrupt_injection: u8,
	if_flag: u8,
	flags: u16,
	cr8: u64,
	apic_base: u64,
	exit,
	kvm_valid_regs: u64,
	kvm_dirty_regs: u64,
	s: wire('s', {regs: KvmSyncRegs, padding: reserved(1528)}),
}).sized(2352);
