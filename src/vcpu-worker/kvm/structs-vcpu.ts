/** Structs of the vCPU ioctls (linux/kvm.h, asm/kvm.h of x86-64). */
import {array, bytes, type PlainOf, reserved, u8, u16, u32, u64, wire} from '#support/wire';

/** `KVM_GET_REGS`, `KVM_SET_REGS` */
export const KvmRegs = wire('kvm_regs', {
	rax: u64,
	rbx: u64,
	rcx: u64,
	rdx: u64,
	rsi: u64,
	rdi: u64,
	rsp: u64,
	rbp: u64,
	r8: u64,
	r9: u64,
	r10: u64,
	r11: u64,
	r12: u64,
	r13: u64,
	r14: u64,
	r15: u64,
	rip: u64,
	rflags: u64,
}).sized(144);

/** A segment register with its hidden part. */
export const KvmSegment = wire('kvm_segment', {
	base: u64,
	limit: u32,
	selector: u16,
	type: u8,
	present: u8,
	dpl: u8,
	db: u8,
	s: u8,
	l: u8,
	g: u8,
	avl: u8,
	unusable: u8,
}).sized(24);

/** GDTR or IDTR. */
export const KvmDtable = wire('kvm_dtable', {base: u64, limit: u16}).sized(16);

/** `KVM_GET_SREGS`, `KVM_SET_SREGS` */
export const KvmSregs = wire('kvm_sregs', {
	cs: KvmSegment,
	ds: KvmSegment,
	es: KvmSegment,
	fs: KvmSegment,
	gs: KvmSegment,
	ss: KvmSegment,
	tr: KvmSegment,
	ldt: KvmSegment,
	gdt: KvmDtable,
	idt: KvmDtable,
	cr0: u64,
	cr2: u64,
	cr3: u64,
	cr4: u64,
	cr8: u64,
	efer: u64,
	apic_base: u64,
	interrupt_bitmap: array(u64, 4),
}).sized(312);

/** `KVM_GET_VCPU_EVENTS`, `KVM_SET_VCPU_EVENTS` */
export const KvmVcpuEvents = wire('kvm_vcpu_events', {
	exception: wire('exception', {injected: u8, nr: u8, has_error_code: u8, pending: u8, error_code: u32}),
	interrupt: wire('interrupt', {injected: u8, nr: u8, soft: u8, shadow: u8}),
	nmi: wire('nmi', {injected: u8, pending: u8, masked: u8, padding: reserved(1)}),
	sipi_vector: u32,
	flags: u32,
	smi: wire('smi', {smm: u8, pending: u8, smm_inside_nmi: u8, latched_init: u8}),
	triple_fault: wire('triple_fault', {pending: u8}),
	reserved: reserved(26),
	exception_has_payload: u8,
	exception_payload: u64,
}).sized(64);
/** Exceptions, interrupts, NMI and SMI that are pending or being delivered. */
export type VcpuEvents = PlainOf<typeof KvmVcpuEvents>;

/** `KVM_GET_XSAVE`, `KVM_SET_XSAVE`; `KVM_GET_XSAVE2` may write more, see `KVM_CAP_XSAVE2`. */
export const KvmXsave = wire('kvm_xsave', {region: array(u32, 1024)}).sized(4096);

/** One extended control register. */
export const KvmXcr = wire('kvm_xcr', {xcr: u32, value: u64}).sized(16);

/** `KVM_GET_XCRS`, `KVM_SET_XCRS` */
export const KvmXcrs = wire('kvm_xcrs', {
	nr_xcrs: u32,
	flags: u32,
	xcrs: array(KvmXcr, 16),
	padding: reserved(128),
}).sized(392);

/** `KVM_GET_LAPIC`, `KVM_SET_LAPIC`: the register page of the local APIC (Intel SDM vol. 3, 11.4.1). */
export const KvmLapicState = wire('kvm_lapic_state', {regs: bytes(1024)}).sized(1024);

/** `KVM_GET_MP_STATE`, `KVM_SET_MP_STATE` */
export const KvmMpState = wire('kvm_mp_state', {mp_state: u32}).sized(4);

/** An entry of `struct kvm_msrs`. */
export const KvmMsrEntry = wire('kvm_msr_entry', {index: u32, data: u64}).sized(16);

/** `KVM_GET_MSRS`, `KVM_SET_MSRS`; entries follow. */
export const KvmMsrs = wire('kvm_msrs', {nmsrs: u32, padding: reserved(4)}).sized(8);

/** `KVM_GET_DEBUGREGS`, `KVM_SET_DEBUGREGS` */
export const KvmDebugregs = wire('kvm_debugregs', {
	db: array(u64, 4),
	dr6: u64,
	dr7: u64,
	flags: u64,
	padding: reserved(72),
}).sized(128);
/** DR0–DR3, DR6 and DR7. */
export type DebugRegisters = PlainOf<typeof KvmDebugregs>;

/** `KVM_SET_GUEST_DEBUG`; `arch.debugreg` are DR0–DR7 to run with. */
export const KvmGuestDebug = wire('kvm_guest_debug', {
	control: u32,
	arch: wire('arch', {debugreg: array(u64, 8)}),
}).sized(72);

/** `KVM_HAS_DEVICE_ATTR`, `KVM_GET_DEVICE_ATTR`, `KVM_SET_DEVICE_ATTR`; `addr` is the value's host address. */
export const KvmDeviceAttr = wire('kvm_device_attr', {flags: u32, group: u32, attr: u64, addr: u64}).sized(24);

/** Report of `KVM_EXIT_DEBUG`. */
export const KvmDebugExitArch = wire('kvm_debug_exit_arch', {
	exception: u32,
	pc: u64,
	dr6: u64,
	dr7: u64,
}).sized(32);
