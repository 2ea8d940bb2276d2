/** Structs of the vCPU ioctls (linux/kvm.h, asm/kvm.h of x86-64). */
import {layout, nested, nestedArray, u8, u16, u32, u64, type ValueOf} from './layout.ts';

/** `KVM_GET_REGS`, `KVM_SET_REGS` */
export const KvmRegs = layout('kvm_regs', 144, {
	rax: u64(0),
	rbx: u64(8),
	rcx: u64(16),
	rdx: u64(24),
	rsi: u64(32),
	rdi: u64(40),
	rsp: u64(48),
	rbp: u64(56),
	r8: u64(64),
	r9: u64(72),
	r10: u64(80),
	r11: u64(88),
	r12: u64(96),
	r13: u64(104),
	r14: u64(112),
	r15: u64(120),
	rip: u64(128),
	rflags: u64(136),
});

/** A segment register with its hidden part. */
export const KvmSegment = layout('kvm_segment', 24, {
	base: u64(0),
	limit: u32(8),
	selector: u16(12),
	type: u8(14),
	present: u8(15),
	dpl: u8(16),
	db: u8(17),
	s: u8(18),
	l: u8(19),
	g: u8(20),
	avl: u8(21),
	unusable: u8(22),
});

/** GDTR or IDTR. */
export const KvmDtable = layout('kvm_dtable', 16, {base: u64(0), limit: u16(8)});

/** `KVM_GET_SREGS`, `KVM_SET_SREGS` */
export const KvmSregs = layout('kvm_sregs', 312, {
	cs: nested(0, KvmSegment),
	ds: nested(24, KvmSegment),
	es: nested(48, KvmSegment),
	fs: nested(72, KvmSegment),
	gs: nested(96, KvmSegment),
	ss: nested(120, KvmSegment),
	tr: nested(144, KvmSegment),
	ldt: nested(168, KvmSegment),
	gdt: nested(192, KvmDtable),
	idt: nested(208, KvmDtable),
	cr0: u64(224),
	cr2: u64(232),
	cr3: u64(240),
	cr4: u64(248),
	cr8: u64(256),
	efer: u64(264),
	apic_base: u64(272),
	interrupt_bitmap: u64(280, 4),
});

/** `KVM_GET_VCPU_EVENTS`, `KVM_SET_VCPU_EVENTS` */
export const KvmVcpuEvents = layout('kvm_vcpu_events', 64, {
	'exception.injected': u8(0),
	'exception.nr': u8(1),
	'exception.has_error_code': u8(2),
	'exception.pending': u8(3),
	'exception.error_code': u32(4),
	'interrupt.injected': u8(8),
	'interrupt.nr': u8(9),
	'interrupt.soft': u8(10),
	'interrupt.shadow': u8(11),
	'nmi.injected': u8(12),
	'nmi.pending': u8(13),
	'nmi.masked': u8(14),
	sipi_vector: u32(16),
	flags: u32(20),
	'smi.smm': u8(24),
	'smi.pending': u8(25),
	'smi.smm_inside_nmi': u8(26),
	'smi.latched_init': u8(27),
	'triple_fault.pending': u8(28),
	exception_has_payload: u8(55),
	exception_payload: u64(56),
});
/** Exceptions, interrupts, NMI and SMI that are pending or being delivered. */
export type VcpuEvents = ValueOf<typeof KvmVcpuEvents>;

/** `KVM_GET_FPU`, `KVM_SET_FPU`: 8 x87 registers and 16 XMM registers, 16 bytes each. */
export const KvmFpu = layout('kvm_fpu', 416, {
	fpr: u8(0, 128),
	fcw: u16(128),
	fsw: u16(130),
	ftwx: u8(132),
	last_opcode: u16(134),
	last_ip: u64(136),
	last_dp: u64(144),
	xmm: u8(152, 256),
	mxcsr: u32(408),
});
/** The x87 and SSE state. */
export type FpuState = ValueOf<typeof KvmFpu>;

/** `KVM_GET_XSAVE`, `KVM_SET_XSAVE`; `KVM_GET_XSAVE2` may write more, see `KVM_CAP_XSAVE2`. */
export const KvmXsave = layout('kvm_xsave', 4096, {region: u32(0, 1024)});

/** One extended control register. */
export const KvmXcr = layout('kvm_xcr', 16, {xcr: u32(0), value: u64(8)});

/** `KVM_GET_XCRS`, `KVM_SET_XCRS` */
export const KvmXcrs = layout('kvm_xcrs', 392, {nr_xcrs: u32(0), flags: u32(4), xcrs: nestedArray(8, KvmXcr, 16)});

/** `KVM_GET_LAPIC`, `KVM_SET_LAPIC`: the register page of the local APIC (Intel SDM vol. 3, 11.4.1). */
export const KvmLapicState = layout('kvm_lapic_state', 1024, {regs: u8(0, 1024)});

/** `KVM_GET_MP_STATE`, `KVM_SET_MP_STATE` */
export const KvmMpState = layout('kvm_mp_state', 4, {mp_state: u32(0)});

/** An entry of `struct kvm_msrs`. */
export const KvmMsrEntry = layout('kvm_msr_entry', 16, {index: u32(0), data: u64(8)});

/** `KVM_GET_MSRS`, `KVM_SET_MSRS`; entries follow. */
export const KvmMsrs = layout('kvm_msrs', 8, {nmsrs: u32(0)});

/** `KVM_GET_DEBUGREGS`, `KVM_SET_DEBUGREGS` */
export const KvmDebugregs = layout('kvm_debugregs', 128, {db: u64(0, 4), dr6: u64(32), dr7: u64(40), flags: u64(48)});
/** DR0–DR3, DR6 and DR7. */
export type DebugRegisters = ValueOf<typeof KvmDebugregs>;

/** `KVM_SET_GUEST_DEBUG`; `arch.debugreg` are DR0–DR7 to run with. */
export const KvmGuestDebug = layout('kvm_guest_debug', 72, {control: u32(0), 'arch.debugreg': u64(8, 8)});

/** `KVM_HAS_DEVICE_ATTR`, `KVM_GET_DEVICE_ATTR`, `KVM_SET_DEVICE_ATTR`; `addr` is the value's host address. */
export const KvmDeviceAttr = layout('kvm_device_attr', 24, {flags: u32(0), group: u32(4), attr: u64(8), addr: u64(16)});

/** What `KVM_EXIT_DEBUG` reports. */
export const KvmDebugExitArch = layout('kvm_debug_exit_arch', 32, {
	exception: u32(0),
	pc: u64(8),
	dr6: u64(16),
	dr7: u64(24),
});
