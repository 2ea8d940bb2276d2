import {addressOf, close} from '#support/ffi';
import {ArgumentBuffer} from './argument-buffer.ts';
import {Cap, DirtyLog, Mem, MsrExitReason, Pit, X2apicApi} from './constants.ts';
import {defaultRoutes, setGsiRouting} from './interrupts.ts';
import {ioctl, kvmIoctl} from './ioctl.ts';
import {ioctls} from './ioctls.ts';
import {
	type ClockData,
	KvmClearDirtyLog,
	KvmClockData,
	KvmDirtyLog,
	KvmEnableCap,
	KvmIrqLevel,
	KvmMsi,
	KvmPitConfig,
	KvmUserspaceMemoryRegion,
} from './structs-vm.ts';
import {createVm} from './system.ts';

/**
 * Guest-physical addresses KVM takes for itself on VT-x: the identity map (one page), then the TSS (three pages).
 * Below the firmware's last 256 KiB, as other VMMs place them; the memory map must leave them free.
 */
export const reservedRange = {gpa: 0xfffb_c000, length: 0x4000} as const;

/** Pins of the split interrupt controller's I/O APIC. */
export const splitPins = 24;

const lineOffset = KvmIrqLevel.offset('irq');
const levelOffset = KvmIrqLevel.offset('level');
const addressLowOffset = KvmMsi.offset('address_lo');
const addressHighOffset = KvmMsi.offset('address_hi');
const dataOffset = KvmMsi.offset('data');

/** A range of guest-physical addresses backed by host memory. */
export interface MemorySlot {
	/** Index below the host's number of slots. */
	readonly slot: number;
	/** Page aligned. */
	readonly gpa: number;
	/** Bytes, a multiple of the page size. */
	readonly length: number;
	/** Host address of the first byte, page aligned; must stay mapped until the slot is cleared. */
	readonly hostAddress: bigint;
	/** Guest writes exit as MMIO. */
	readonly readOnly?: boolean;
	/** Writes are recorded for {@link KvmVm.readDirtyLog}. */
	readonly logDirty?: boolean;
}

/**
 * A virtual machine of KVM. The descriptor is the machine: any number of threads may have their own object over it
 * ({@link fromFd}), each with its own argument memory. Methods marked hot neither allocate nor throw.
 */
export class KvmVm {
	/** The VM's descriptor, shared by every thread of the process. */
	readonly fd: number;
	readonly #argument = new ArgumentBuffer();
	/** Arguments of the hot calls: their unused fields stay zero. */
	readonly #line = new ArgumentBuffer(KvmIrqLevel.size);
	readonly #message = new ArgumentBuffer(KvmMsi.size);

	private constructor(fd: number) {
		this.fd = fd;
	}

	/**
	 * Creates a VM.
	 * @param kvmFd - see `openKvm`; may be closed afterwards
	 * @throws KVM_BUSY, KVM_IOCTL_FAILED
	 */
	static create(kvmFd: number): KvmVm {
		const vm = new KvmVm(createVm(kvmFd));
		try {
			vm.#reserveAddresses();
			return vm;
		} catch (caught) {
			vm.close();
			throw caught;
		}
	}

	/** The VM behind a descriptor that another thread owns. Do not {@link close} it. */
	static fromFd(vmFd: number): KvmVm {
		return new KvmVm(vmFd);
	}

	/** Closes the descriptor. The VM ends when its vCPUs are closed too. */
	close(): void {
		close(this.fd);
	}

	/** KVM_CHECK_EXTENSION as it stands for this VM. */
	checkExtension(cap: number): number {
		return kvmIoctl(this.fd, 'KVM_CHECK_EXTENSION', cap);
	}

	/**
	 * KVM_ENABLE_CAP.
	 * @throws KVM_IOCTL_FAILED naming the capability's number
	 */
	enableCap(cap: number, ...args: readonly bigint[]): void {
		kvmIoctl(this.fd, 'KVM_ENABLE_CAP', this.#argument.with(KvmEnableCap, {cap, args}), `capability ${cap}`);
	}

	/** Puts host memory at a guest-physical range, replacing what the slot held. */
	setMemory(memory: MemorySlot): void {
		const {slot, gpa, length, hostAddress, readOnly = false, logDirty = false} = memory;
		const flags = (readOnly ? Mem.READONLY : 0) | (logDirty ? Mem.LOG_DIRTY_PAGES : 0);
		const argument = this.#argument.with(KvmUserspaceMemoryRegion, {
			slot,
			flags,
			guest_phys_addr: BigInt(gpa),
			memory_size: BigInt(length),
			userspace_addr: hostAddress,
		});
		const detail = `slot ${slot}, ${length} bytes at 0x${gpa.toString(16)}`;
		kvmIoctl(this.fd, 'KVM_SET_USER_MEMORY_REGION', argument, detail);
	}

	/** Takes a slot's memory away. */
	clearMemory(slot: number): void {
		this.setMemory({slot, gpa: 0, length: 0, hostAddress: 0n});
	}

	/** Makes the dirty log clear pages by {@link clearDirtyLog} only, not on every read. Before the slots are set. */
	enableManualDirtyLog(): void {
		this.enableCap(Cap.MANUAL_DIRTY_LOG_PROTECT2, BigInt(DirtyLog.MANUAL_PROTECT_ENABLE));
	}

	/**
	 * Reads which pages of a slot were written: one bit a page, lowest first.
	 * @param bitmap - room for every page, a multiple of 8 bytes, in a buffer of its own
	 */
	readDirtyLog(slot: number, bitmap: Uint8Array): void {
		const argument = this.#argument.with(KvmDirtyLog, {slot, dirty_bitmap: addressOf(bitmap)});
		kvmIoctl(this.fd, 'KVM_GET_DIRTY_LOG', argument, `slot ${slot}`);
	}

	/** Begins a new record for the pages whose bit is set. `firstPage` and `pages` are multiples of 64. */
	clearDirtyLog(slot: number, bitmap: Uint8Array, firstPage: number, pages: number): void {
		const argument = this.#argument.with(KvmClearDirtyLog, {
			slot,
			num_pages: pages,
			first_page: BigInt(firstPage),
			dirty_bitmap: addressOf(bitmap),
		});
		kvmIoctl(this.fd, 'KVM_CLEAR_DIRTY_LOG', argument, `slot ${slot}`);
	}

	/** Creates KVM's own PIC, I/O APIC, local APICs and PIT. Before any vCPU. */
	createKernelIrqchip(): void {
		kvmIoctl(this.fd, 'KVM_CREATE_IRQCHIP');
		kvmIoctl(this.fd, 'KVM_CREATE_PIT2', this.#argument.with(KvmPitConfig, {flags: Pit.SPEAKER_DUMMY}));
		setGsiRouting(this.fd, defaultRoutes());
	}

	/** Creates local APICs only; PIC, I/O APIC and PIT are this program's. Before any vCPU. */
	createSplitIrqchip(pins = splitPins): void {
		this.enableCap(Cap.SPLIT_IRQCHIP, BigInt(pins));
	}

	/** Lets APIC ids be 32 bits wide, in registers and in messages. */
	enableExtendedApicIds(): void {
		const flags = X2apicApi.USE_32BIT_IDS | X2apicApi.DISABLE_BROADCAST_QUIRK;
		this.enableCap(Cap.X2APIC_API, BigInt(flags));
	}

	/** Makes accesses to MSRs that KVM does not know (or a filter refuses) exit, instead of faulting in the guest. */
	enableUserSpaceMsrs(reasons: number = MsrExitReason.UNKNOWN | MsrExitReason.FILTER): void {
		this.enableCap(Cap.X86_USER_SPACE_MSR, BigInt(reasons));
	}

	/** Chooses the vCPU id of the boot processor. Before any vCPU. */
	setBootCpu(vcpuId: number): void {
		kvmIoctl(this.fd, 'KVM_SET_BOOT_CPU_ID', vcpuId);
	}

	/** Drives an input of the kernel's interrupt controllers. Hot. 0 or the negated errno. */
	irqLine(gsi: number, level: 0 | 1): number {
		const {view, address} = this.#line;
		view.setUint32(lineOffset, gsi, true);
		view.setUint32(levelOffset, level, true);
		return ioctl(this.fd, ioctls.KVM_IRQ_LINE.request, address);
	}

	/** Delivers a message at once. Hot. Positive when delivered, 0 when the guest blocked it, or the negated errno. */
	signalMsi(addressLow: number, addressHigh: number, data: number): number {
		const {view, address} = this.#message;
		view.setUint32(addressLowOffset, addressLow, true);
		view.setUint32(addressHighOffset, addressHigh, true);
		view.setUint32(dataOffset, data, true);
		return ioctl(this.fd, ioctls.KVM_SIGNAL_MSI.request, address);
	}

	/** The VM's clock, with the host's real time and TSC where the host can tell. */
	getClock(): ClockData {
		kvmIoctl(this.fd, 'KVM_GET_CLOCK', this.#argument);
		return KvmClockData.read(this.#argument.view);
	}

	/** Sets the VM's clock; with `KVM_CLOCK_REALTIME` in `flags` it advances by the real time since `realtime`. */
	setClock(data: Partial<ClockData>): void {
		kvmIoctl(this.fd, 'KVM_SET_CLOCK', this.#argument.with(KvmClockData, data));
	}

	#reserveAddresses(): void {
		const identityMap = reservedRange.gpa;
		kvmIoctl(this.fd, 'KVM_SET_TSS_ADDR', identityMap + 0x1000);
		this.#argument.view.setBigUint64(0, BigInt(identityMap), true);
		kvmIoctl(this.fd, 'KVM_SET_IDENTITY_MAP_ADDR', this.#argument);
	}
}
