/** Numbers of the KVM interface (linux/kvm.h, asm/kvm.h), without their `KVM_…_` prefix. Compared with the headers. */

/** `KVM_API_VERSION`: the only version there will be. */
export const API_VERSION = 12;

/** `KVM_CAP_*`: arguments of KVM_CHECK_EXTENSION and KVM_ENABLE_CAP. */
export const Cap = {
	IRQCHIP: 0,
	HLT: 1,
	USER_MEMORY: 3,
	SET_TSS_ADDR: 4,
	EXT_CPUID: 7,
	NR_VCPUS: 9,
	NR_MEMSLOTS: 10,
	MP_STATE: 14,
	USER_NMI: 22,
	SET_GUEST_DEBUG: 23,
	REINJECT_CONTROL: 24,
	IRQ_ROUTING: 25,
	IRQFD: 32,
	PIT2: 33,
	SET_BOOT_CPU_ID: 34,
	PIT_STATE2: 35,
	IOEVENTFD: 36,
	SET_IDENTITY_MAP_ADDR: 37,
	ADJUST_CLOCK: 39,
	INTERNAL_ERROR_DATA: 40,
	VCPU_EVENTS: 41,
	DEBUGREGS: 50,
	ENABLE_CAP: 54,
	XSAVE: 55,
	XCRS: 56,
	TSC_CONTROL: 60,
	GET_TSC_KHZ: 61,
	MAX_VCPUS: 66,
	TSC_DEADLINE_TIMER: 72,
	SYNC_REGS: 74,
	KVMCLOCK_CTRL: 76,
	SIGNAL_MSI: 77,
	READONLY_MEM: 81,
	IRQFD_RESAMPLE: 82,
	ENABLE_CAP_VM: 98,
	IOEVENTFD_NO_LENGTH: 100,
	CHECK_EXTENSION_VM: 105,
	X86_SMM: 117,
	SPLIT_IRQCHIP: 121,
	IOEVENTFD_ANY_LENGTH: 122,
	HYPERV_SYNIC: 123,
	MAX_VCPU_ID: 128,
	X2APIC_API: 129,
	IMMEDIATE_EXIT: 136,
	X86_DISABLE_EXITS: 143,
	HYPERV_SYNIC2: 148,
	NESTED_STATE: 157,
	EXCEPTION_PAYLOAD: 164,
	MANUAL_DIRTY_LOG_PROTECT2: 168,
	X86_USER_SPACE_MSR: 188,
	X86_MSR_FILTER: 189,
	DIRTY_LOG_RING: 192,
	SREGS2: 200,
	EXIT_HYPERCALL: 201,
	EXIT_ON_EMULATION_FAILURE: 204,
	VM_GPA_BITS: 207,
	XSAVE2: 208,
	DISABLE_QUIRKS2: 213,
	X86_TRIPLE_FAULT_EVENT: 218,
	X86_NOTIFY_VMEXIT: 219,
} as const;
/** Name of a capability this layer knows. */
export type CapName = keyof typeof Cap;

/** `KVM_EXIT_*`: why KVM_RUN returned. */
export const Exit = {
	UNKNOWN: 0,
	EXCEPTION: 1,
	IO: 2,
	HYPERCALL: 3,
	DEBUG: 4,
	HLT: 5,
	MMIO: 6,
	IRQ_WINDOW_OPEN: 7,
	SHUTDOWN: 8,
	FAIL_ENTRY: 9,
	INTR: 10,
	SET_TPR: 11,
	TPR_ACCESS: 12,
	NMI: 16,
	INTERNAL_ERROR: 17,
	SYSTEM_EVENT: 24,
	IOAPIC_EOI: 26,
	HYPERV: 27,
	X86_RDMSR: 29,
	X86_WRMSR: 30,
	DIRTY_RING_FULL: 31,
	AP_RESET_HOLD: 32,
	X86_BUS_LOCK: 33,
	NOTIFY: 37,
} as const;

/** Names of exit reasons, for messages. */
export const exitName = (reason: number): string =>
	Object.entries(Exit).find(([, value]) => value === reason)?.[0] ?? `exit ${reason}`;

/** `KVM_EXIT_IO_*`: the direction of a port access. */
export const IoDirection = {IN: 0, OUT: 1} as const;

/** `KVM_INTERNAL_ERROR_*` */
export const InternalError = {
	EMULATION: 1,
	SIMUL_EX: 2,
	DELIVERY_EV: 3,
	UNEXPECTED_EXIT_REASON: 4,
} as const;

/** `KVM_INTERNAL_ERROR_EMULATION_FLAG_*` */
export const EmulationFlag = {INSTRUCTION_BYTES: 1} as const;

/** `KVM_SYSTEM_EVENT_*` */
export const SystemEvent = {SHUTDOWN: 1, RESET: 2, CRASH: 3} as const;

/** `KVM_MSR_EXIT_REASON_*`: argument of KVM_CAP_X86_USER_SPACE_MSR and reason of an MSR exit. */
export const MsrExitReason = {INVAL: 1, UNKNOWN: 2, FILTER: 4} as const;

/** `KVM_MSR_FILTER_*` */
export const MsrFilter = {READ: 1, WRITE: 2, DEFAULT_ALLOW: 0, DEFAULT_DENY: 1} as const;

/** `KVM_MEM_*`: flags of a memory slot. */
export const Mem = {LOG_DIRTY_PAGES: 1, READONLY: 2} as const;

/** `KVM_MP_STATE_*`: what a vCPU does. */
export const MpState = {RUNNABLE: 0, UNINITIALIZED: 1, INIT_RECEIVED: 2, HALTED: 3, SIPI_RECEIVED: 4} as const;

/** `KVM_X86_SHADOW_INT_*` */
export const Shadow = {MOV_SS: 1, STI: 2} as const;

/** `KVM_IRQCHIP_*` */
export const Irqchip = {PIC_MASTER: 0, PIC_SLAVE: 1, IOAPIC: 2} as const;

/** `KVM_IRQ_ROUTING_*`: kinds of route. */
export const IrqRouting = {IRQCHIP: 1, MSI: 2} as const;

/** `KVM_IRQFD_FLAG_*` */
export const IrqfdFlag = {DEASSIGN: 1, RESAMPLE: 2} as const;

/** `KVM_IOEVENTFD_FLAG_*` */
export const IoeventfdFlag = {DATAMATCH: 1, PIO: 2, DEASSIGN: 4} as const;

/** `KVM_PIT_*` */
export const Pit = {
	SPEAKER_DUMMY: 1,
	/** A flag of the state, not of the creation. */
	FLAGS_HPET_LEGACY: 1,
} as const;

/** `KVM_X2APIC_API_*` */
export const X2apicApi = {USE_32BIT_IDS: 1, DISABLE_BROADCAST_QUIRK: 2} as const;

/** `KVM_CPUID_FLAG_*` */
export const CpuidFlag = {SIGNIFCANT_INDEX: 1} as const;

/** `KVM_VCPUEVENT_VALID_*`: which parts KVM_SET_VCPU_EVENTS takes. */
export const VcpuEventValid = {
	NMI_PENDING: 1,
	SIPI_VECTOR: 2,
	SHADOW: 4,
	SMM: 8,
	PAYLOAD: 16,
	TRIPLE_FAULT: 32,
} as const;

/** `KVM_GUESTDBG_*` */
export const GuestDbg = {
	ENABLE: 0x1,
	SINGLESTEP: 0x2,
	USE_SW_BP: 0x10000,
	USE_HW_BP: 0x20000,
	INJECT_DB: 0x40000,
	INJECT_BP: 0x80000,
	BLOCKIRQ: 0x100000,
} as const;

/** `KVM_CLOCK_*`: flags of the clock. */
export const Clock = {TSC_STABLE: 2, REALTIME: 4, HOST_TSC: 8} as const;

/** `KVM_VCPU_TSC_*`: group and attribute of a vCPU's time-stamp counter. */
export const VcpuTsc = {CTRL: 0, OFFSET: 0} as const;

/** `KVM_DIRTY_LOG_*` */
export const DirtyLog = {MANUAL_PROTECT_ENABLE: 1, INITIALLY_SET: 2} as const;

/** Every table with the prefix its names have in the headers. */
export const constantTables: readonly (readonly [prefix: string, table: Readonly<Record<string, number>>])[] = [
	['KVM_', {API_VERSION}],
	['KVM_CAP_', Cap],
	['KVM_EXIT_', Exit],
	['KVM_EXIT_IO_', IoDirection],
	['KVM_INTERNAL_ERROR_', InternalError],
	['KVM_INTERNAL_ERROR_EMULATION_FLAG_', EmulationFlag],
	['KVM_SYSTEM_EVENT_', SystemEvent],
	['KVM_MSR_EXIT_REASON_', MsrExitReason],
	['KVM_MSR_FILTER_', MsrFilter],
	['KVM_MEM_', Mem],
	['KVM_MP_STATE_', MpState],
	['KVM_IRQCHIP_', Irqchip],
	['KVM_IRQ_ROUTING_', IrqRouting],
	['KVM_IRQFD_FLAG_', IrqfdFlag],
	['KVM_IOEVENTFD_FLAG_', IoeventfdFlag],
	['KVM_PIT_', Pit],
	['KVM_X2APIC_API_', X2apicApi],
	['KVM_CPUID_FLAG_', CpuidFlag],
	['KVM_VCPUEVENT_VALID_', VcpuEventValid],
	['KVM_GUESTDBG_', GuestDbg],
	['KVM_CLOCK_', Clock],
	['KVM_VCPU_TSC_', VcpuTsc],
	['KVM_DIRTY_LOG_', DirtyLog],
];
