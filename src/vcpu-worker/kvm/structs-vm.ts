/** Structs of the system and VM ioctls (linux/kvm.h, asm/kvm.h of x86-64). */
import {i32, i64, layout, nestedArray, u8, u16, u32, u64, type ValueOf} from './layout.ts';

/** `KVM_SET_USER_MEMORY_REGION` */
export const KvmUserspaceMemoryRegion = layout('kvm_userspace_memory_region', 32, {
	slot: u32(0),
	flags: u32(4),
	guest_phys_addr: u64(8),
	memory_size: u64(16),
	userspace_addr: u64(24),
});

/** `KVM_GET_DIRTY_LOG` */
export const KvmDirtyLog = layout('kvm_dirty_log', 16, {slot: u32(0), dirty_bitmap: u64(8)});

/** `KVM_CLEAR_DIRTY_LOG` */
export const KvmClearDirtyLog = layout('kvm_clear_dirty_log', 24, {
	slot: u32(0),
	num_pages: u32(4),
	first_page: u64(8),
	dirty_bitmap: u64(16),
});

/** `KVM_IRQ_LINE` */
export const KvmIrqLevel = layout('kvm_irq_level', 8, {irq: u32(0), level: u32(4)});

/** `KVM_SIGNAL_MSI` */
export const KvmMsi = layout('kvm_msi', 32, {
	address_lo: u32(0),
	address_hi: u32(4),
	data: u32(8),
	flags: u32(12),
	devid: u32(16),
});

/** `KVM_IRQFD` */
export const KvmIrqfd = layout('kvm_irqfd', 32, {fd: u32(0), gsi: u32(4), flags: u32(8), resamplefd: u32(12)});

/** `KVM_IOEVENTFD` */
export const KvmIoeventfd = layout('kvm_ioeventfd', 64, {
	datamatch: u64(0),
	addr: u64(8),
	len: u32(16),
	fd: i32(20),
	flags: u32(24),
});

/** An entry of `struct kvm_irq_routing` that leads to an interrupt controller's pin. */
export const KvmIrqRoutingIrqchipEntry = layout('kvm_irq_routing_entry', 48, {
	gsi: u32(0),
	type: u32(4),
	flags: u32(8),
	'u.irqchip.irqchip': u32(16),
	'u.irqchip.pin': u32(20),
});

/** An entry of `struct kvm_irq_routing` that sends a message. */
export const KvmIrqRoutingMsiEntry = layout('kvm_irq_routing_entry', 48, {
	gsi: u32(0),
	type: u32(4),
	flags: u32(8),
	'u.msi.address_lo': u32(16),
	'u.msi.address_hi': u32(20),
	'u.msi.data': u32(24),
});

/** `KVM_SET_GSI_ROUTING`; entries follow. */
export const KvmIrqRouting = layout('kvm_irq_routing', 8, {nr: u32(0), flags: u32(4)});

/** `KVM_ENABLE_CAP` */
export const KvmEnableCap = layout('kvm_enable_cap', 104, {cap: u32(0), flags: u32(4), args: u64(8, 4)});

/** `KVM_CREATE_PIT2` */
export const KvmPitConfig = layout('kvm_pit_config', 64, {flags: u32(0)});

/** One 8259A (Intel 8259A data sheet; field names are KVM's). */
export const KvmPicState = layout('kvm_pic_state', 16, {
	last_irr: u8(0),
	irr: u8(1),
	imr: u8(2),
	isr: u8(3),
	priority_add: u8(4),
	irq_base: u8(5),
	read_reg_select: u8(6),
	poll: u8(7),
	special_mask: u8(8),
	init_state: u8(9),
	auto_eoi: u8(10),
	rotate_on_auto_eoi: u8(11),
	special_fully_nested_mode: u8(12),
	init4: u8(13),
	elcr: u8(14),
	elcr_mask: u8(15),
});
export type PicState = ValueOf<typeof KvmPicState>;

/** The I/O APIC (Intel 82093AA data sheet); `redirtbl` are the 64-bit redirection entries. */
export const KvmIoapicState = layout('kvm_ioapic_state', 216, {
	base_address: u64(0),
	ioregsel: u32(8),
	id: u32(12),
	irr: u32(16),
	redirtbl: u64(24, 24),
});
export type IoapicState = ValueOf<typeof KvmIoapicState>;

/** `KVM_GET_IRQCHIP`, `KVM_SET_IRQCHIP`; the chip's state follows at `chip`. */
export const KvmIrqchip = layout('kvm_irqchip', 520, {chip_id: u32(0), chip: u8(8, 512)});

/** One counter of the 8254. */
export const KvmPitChannelState = layout('kvm_pit_channel_state', 24, {
	count: u32(0),
	latched_count: u16(4),
	count_latched: u8(6),
	status_latched: u8(7),
	status: u8(8),
	read_state: u8(9),
	write_state: u8(10),
	write_latch: u8(11),
	rw_mode: u8(12),
	mode: u8(13),
	bcd: u8(14),
	gate: u8(15),
	count_load_time: i64(16),
});

/** `KVM_GET_PIT2`, `KVM_SET_PIT2` */
export const KvmPitState2 = layout('kvm_pit_state2', 112, {
	channels: nestedArray(0, KvmPitChannelState, 3),
	flags: u32(72),
});
export type PitState = ValueOf<typeof KvmPitState2>;

/** `KVM_REINJECT_CONTROL` */
export const KvmReinjectControl = layout('kvm_reinject_control', 32, {pit_reinject: u8(0)});

/** `KVM_GET_CLOCK`, `KVM_SET_CLOCK`; times in nanoseconds. */
export const KvmClockData = layout('kvm_clock_data', 48, {
	clock: u64(0),
	flags: u32(8),
	realtime: u64(16),
	host_tsc: u64(24),
});
export type ClockData = ValueOf<typeof KvmClockData>;

/** A range of `struct kvm_msr_filter`; `bitmap` is a host address. */
export const KvmMsrFilterRange = layout('kvm_msr_filter_range', 24, {
	flags: u32(0),
	nmsrs: u32(4),
	base: u32(8),
	bitmap: u64(16),
});

/** `KVM_X86_SET_MSR_FILTER` */
export const KvmMsrFilter = layout('kvm_msr_filter', 392, {
	flags: u32(0),
	ranges: nestedArray(8, KvmMsrFilterRange, 16),
});

/** `KVM_GET_MSR_INDEX_LIST`; 32-bit indexes follow. */
export const KvmMsrList = layout('kvm_msr_list', 4, {nmsrs: u32(0)});

/** An entry of `struct kvm_cpuid2`. */
export const KvmCpuidEntry2 = layout('kvm_cpuid_entry2', 40, {
	function: u32(0),
	index: u32(4),
	flags: u32(8),
	eax: u32(12),
	ebx: u32(16),
	ecx: u32(20),
	edx: u32(24),
});

/** `KVM_GET_SUPPORTED_CPUID`, `KVM_SET_CPUID2`; entries follow. */
export const KvmCpuid2 = layout('kvm_cpuid2', 8, {nent: u32(0)});

/** `KVM_TRANSLATE` */
export const KvmTranslation = layout('kvm_translation', 24, {
	linear_address: u64(0),
	physical_address: u64(8),
	valid: u8(16),
	writeable: u8(17),
	usermode: u8(18),
});

/** `KVM_SET_SIGNAL_MASK`; the kernel's signal set follows, 8 bytes. */
export const KvmSignalMask = layout('kvm_signal_mask', 4, {len: u32(0)});

/** `KVM_INTERRUPT` */
export const KvmInterrupt = layout('kvm_interrupt', 4, {irq: u32(0)});
