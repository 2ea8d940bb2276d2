/** Structs of the system and VM ioctls (linux/kvm.h, asm/kvm.h of x86-64). */
import {array, bytes, i32, i64, type PlainOf, reserved, u8, u16, u32, u64, union, wire} from '#support/wire';
import {IrqRouting} from './constants.ts';

/** `KVM_SET_USER_MEMORY_REGION` */
export const KvmUserspaceMemoryRegion = wire('kvm_userspace_memory_region', {
	slot: u32,
	flags: u32,
	guest_phys_addr: u64,
	memory_size: u64,
	userspace_addr: u64,
}).sized(32);

/** `KVM_GET_DIRTY_LOG` */
export const KvmDirtyLog = wire('kvm_dirty_log', {slot: u32, dirty_bitmap: u64}).sized(16);

/** `KVM_CLEAR_DIRTY_LOG` */
export const KvmClearDirtyLog = wire('kvm_clear_dirty_log', {
	slot: u32,
	num_pages: u32,
	first_page: u64,
	dirty_bitmap: u64,
}).sized(24);

/** `KVM_IRQ_LINE` */
export const KvmIrqLevel = wire('kvm_irq_level', {irq: u32, level: u32}).sized(8);

/** `KVM_SIGNAL_MSI` */
export const KvmMsi = wire('kvm_msi', {
	address_lo: u32,
	address_hi: u32,
	data: u32,
	flags: u32,
	devid: u32,
	padding: reserved(12),
}).sized(32);

/** `KVM_IRQFD` */
export const KvmIrqfd = wire('kvm_irqfd', {
	fd: u32,
	gsi: u32,
	flags: u32,
	resamplefd: u32,
	padding: reserved(16),
}).sized(32);

/** `KVM_IOEVENTFD` */
export const KvmIoeventfd = wire('kvm_ioeventfd', {
	datamatch: u64,
	addr: u64,
	len: u32,
	fd: i32,
	flags: u32,
	padding: reserved(36),
}).sized(64);

/** An entry of `struct kvm_irq_routing`: an interrupt controller's pin, or a message. */
export const KvmIrqRoutingEntry = wire('kvm_irq_routing_entry', {
	gsi: u32,
	type: u32,
	flags: u32,
	padding: reserved(4),
	u: union(
		'type',
		{
			irqchip: [IrqRouting.IRQCHIP, wire('irqchip', {irqchip: u32, pin: u32})],
			msi: [IrqRouting.MSI, wire('msi', {address_lo: u32, address_hi: u32, data: u32})],
		},
		32,
	),
}).sized(48);

/** `KVM_SET_GSI_ROUTING`; entries follow. */
export const KvmIrqRouting = wire('kvm_irq_routing', {nr: u32, flags: u32}).sized(8);

/** `KVM_ENABLE_CAP` */
export const KvmEnableCap = wire('kvm_enable_cap', {
	cap: u32,
	flags: u32,
	args: array(u64, 4),
	padding: reserved(64),
}).sized(104);

/** `KVM_CREATE_PIT2` */
export const KvmPitConfig = wire('kvm_pit_config', {flags: u32, padding: reserved(60)}).sized(64);

/** One 8259A (Intel 8259A data sheet; field names are KVM's). */
export const KvmPicState = wire('kvm_pic_state', {
	last_irr: u8,
	irr: u8,
	imr: u8,
	isr: u8,
	priority_add: u8,
	irq_base: u8,
	read_reg_select: u8,
	poll: u8,
	special_mask: u8,
	init_state: u8,
	auto_eoi: u8,
	rotate_on_auto_eoi: u8,
	special_fully_nested_mode: u8,
	init4: u8,
	elcr: u8,
	elcr_mask: u8,
}).sized(16);
export type PicState = PlainOf<typeof KvmPicState>;

/** The I/O APIC (Intel 82093AA data sheet); `redirtbl` are the 64-bit redirection entries. */
export const KvmIoapicState = wire('kvm_ioapic_state', {
	base_address: u64,
	ioregsel: u32,
	id: u32,
	irr: u32,
	redirtbl: array(u64, 24),
}).sized(216);
export type IoapicState = PlainOf<typeof KvmIoapicState>;

/** `KVM_GET_IRQCHIP`, `KVM_SET_IRQCHIP`; the chip's state follows at `chip`. */
export const KvmIrqchip = wire('kvm_irqchip', {chip_id: u32, padding: reserved(4), chip: bytes(512)}).sized(520);

/** One counter of the 8254. */
export const KvmPitChannelState = wire('kvm_pit_channel_state', {
	count: u32,
	latched_count: u16,
	count_latched: u8,
	status_latched: u8,
	status: u8,
	read_state: u8,
	write_state: u8,
	write_latch: u8,
	rw_mode: u8,
	mode: u8,
	bcd: u8,
	gate: u8,
	count_load_time: i64,
}).sized(24);

/** `KVM_GET_PIT2`, `KVM_SET_PIT2` */
export const KvmPitState2 = wire('kvm_pit_state2', {
	channels: array(KvmPitChannelState, 3),
	flags: u32,
	padding: reserved(36),
}).sized(112);
export type PitState = PlainOf<typeof KvmPitState2>;

/** `KVM_GET_CLOCK`, `KVM_SET_CLOCK`; times in nanoseconds. */
export const KvmClockData = wire('kvm_clock_data', {
	clock: u64,
	flags: u32,
	realtime: u64,
	host_tsc: u64,
	padding: reserved(16),
}).sized(48);
export type ClockData = PlainOf<typeof KvmClockData>;

/** A range of `struct kvm_msr_filter`; `bitmap` is a host address. */
export const KvmMsrFilterRange = wire('kvm_msr_filter_range', {
	flags: u32,
	nmsrs: u32,
	base: u32,
	bitmap: u64,
}).sized(24);

/** `KVM_X86_SET_MSR_FILTER` */
export const KvmMsrFilter = wire('kvm_msr_filter', {
	flags: u32,
	ranges: array(KvmMsrFilterRange, 16),
}).sized(392);

/** `KVM_GET_MSR_INDEX_LIST`; 32-bit indexes follow. */
export const KvmMsrList = wire('kvm_msr_list', {nmsrs: u32}).sized(4);

/** An entry of `struct kvm_cpuid2`. */
export const KvmCpuidEntry2 = wire('kvm_cpuid_entry2', {
	function: u32,
	index: u32,
	flags: u32,
	eax: u32,
	ebx: u32,
	ecx: u32,
	edx: u32,
	padding: reserved(12),
}).sized(40);

/** `KVM_GET_SUPPORTED_CPUID`, `KVM_SET_CPUID2`; entries follow. */
export const KvmCpuid2 = wire('kvm_cpuid2', {nent: u32, padding: reserved(4)}).sized(8);

/** `KVM_TRANSLATE` */
export const KvmTranslation = wire('kvm_translation', {
	linear_address: u64,
	physical_address: u64,
	valid: u8,
	writeable: u8,
	usermode: u8,
}).sized(24);

/** `KVM_SET_SIGNAL_MASK`; the kernel's signal set follows, 8 bytes. */
export const KvmSignalMask = wire('kvm_signal_mask', {len: u32}).sized(4);

/** `KVM_INTERRUPT` */
export const KvmInterrupt = wire('kvm_interrupt', {irq: u32}).sized(4);
