/** Every KVM ioctl this layer uses, declared once (linux/kvm.h); the request numbers follow from the declaration. */
import * as vcpu from './structs-vcpu.ts';
import * as vm from './structs-vm.ts';

/** Direction in which the argument struct travels, as the C macros _IO, _IOW, _IOR and _IOWR say it. */
export type IoctlDirection = 'none' | 'write' | 'read' | 'readwrite';

/** One ioctl. */
export interface Ioctl {
	/** The macro's name in linux/kvm.h; errors carry it. */
	readonly name: string;
	readonly direction: IoctlDirection;
	readonly number: number;
	/** Bytes of the argument struct; 0 when the argument is a plain number. */
	readonly size: number;
	/** The request number. */
	readonly request: number;
}

const KVMIO = 0xae;
const directionBits = {none: 0, write: 1, read: 2, readwrite: 3} as const;

/** The request number of an ioctl: direction in bits 30–31, size in 16–29, type in 8–15 (asm-generic/ioctl.h). */
export function ioctlRequest(direction: IoctlDirection, number: number, size: number): number {
	return directionBits[direction] * 2 ** 30 + size * 2 ** 16 + KVMIO * 2 ** 8 + number;
}

type Declaration = readonly [direction: IoctlDirection, number: number, argument?: {readonly size: number}];

const word64 = {size: 8};

const declarations = {
	// System ioctls, on /dev/kvm.
	KVM_GET_API_VERSION: ['none', 0x00],
	KVM_CREATE_VM: ['none', 0x01],
	KVM_GET_MSR_INDEX_LIST: ['readwrite', 0x02, vm.KvmMsrList],
	KVM_CHECK_EXTENSION: ['none', 0x03],
	KVM_GET_VCPU_MMAP_SIZE: ['none', 0x04],
	KVM_GET_SUPPORTED_CPUID: ['readwrite', 0x05, vm.KvmCpuid2],
	// VM ioctls.
	KVM_CREATE_VCPU: ['none', 0x41],
	KVM_GET_DIRTY_LOG: ['write', 0x42, vm.KvmDirtyLog],
	KVM_SET_USER_MEMORY_REGION: ['write', 0x46, vm.KvmUserspaceMemoryRegion],
	KVM_SET_TSS_ADDR: ['none', 0x47],
	KVM_SET_IDENTITY_MAP_ADDR: ['write', 0x48, word64],
	KVM_CREATE_IRQCHIP: ['none', 0x60],
	KVM_IRQ_LINE: ['write', 0x61, vm.KvmIrqLevel],
	KVM_GET_IRQCHIP: ['readwrite', 0x62, vm.KvmIrqchip],
	// The header declares this one the wrong way round; the kernel never looks.
	KVM_SET_IRQCHIP: ['read', 0x63, vm.KvmIrqchip],
	KVM_SET_GSI_ROUTING: ['write', 0x6a, vm.KvmIrqRouting],
	KVM_IRQFD: ['write', 0x76, vm.KvmIrqfd],
	KVM_CREATE_PIT2: ['write', 0x77, vm.KvmPitConfig],
	KVM_SET_BOOT_CPU_ID: ['none', 0x78],
	KVM_IOEVENTFD: ['write', 0x79, vm.KvmIoeventfd],
	KVM_SET_CLOCK: ['write', 0x7b, vm.KvmClockData],
	KVM_GET_CLOCK: ['read', 0x7c, vm.KvmClockData],
	KVM_GET_PIT2: ['read', 0x9f, vm.KvmPitState2],
	KVM_SET_PIT2: ['write', 0xa0, vm.KvmPitState2],
	KVM_SIGNAL_MSI: ['write', 0xa5, vm.KvmMsi],
	KVM_ENABLE_CAP: ['write', 0xa3, vm.KvmEnableCap],
	KVM_CLEAR_DIRTY_LOG: ['readwrite', 0xc0, vm.KvmClearDirtyLog],
	KVM_X86_SET_MSR_FILTER: ['write', 0xc6, vm.KvmMsrFilter],
	// vCPU ioctls.
	KVM_RUN: ['none', 0x80],
	KVM_GET_REGS: ['read', 0x81, vcpu.KvmRegs],
	KVM_SET_REGS: ['write', 0x82, vcpu.KvmRegs],
	KVM_GET_SREGS: ['read', 0x83, vcpu.KvmSregs],
	KVM_SET_SREGS: ['write', 0x84, vcpu.KvmSregs],
	KVM_TRANSLATE: ['readwrite', 0x85, vm.KvmTranslation],
	KVM_INTERRUPT: ['write', 0x86, vm.KvmInterrupt],
	KVM_GET_MSRS: ['readwrite', 0x88, vcpu.KvmMsrs],
	KVM_SET_MSRS: ['write', 0x89, vcpu.KvmMsrs],
	KVM_SET_SIGNAL_MASK: ['write', 0x8b, vm.KvmSignalMask],
	KVM_GET_LAPIC: ['read', 0x8e, vcpu.KvmLapicState],
	KVM_SET_LAPIC: ['write', 0x8f, vcpu.KvmLapicState],
	KVM_SET_CPUID2: ['write', 0x90, vm.KvmCpuid2],
	KVM_GET_CPUID2: ['readwrite', 0x91, vm.KvmCpuid2],
	KVM_GET_MP_STATE: ['read', 0x98, vcpu.KvmMpState],
	KVM_SET_MP_STATE: ['write', 0x99, vcpu.KvmMpState],
	KVM_NMI: ['none', 0x9a],
	KVM_SET_GUEST_DEBUG: ['write', 0x9b, vcpu.KvmGuestDebug],
	KVM_GET_VCPU_EVENTS: ['read', 0x9f, vcpu.KvmVcpuEvents],
	KVM_SET_VCPU_EVENTS: ['write', 0xa0, vcpu.KvmVcpuEvents],
	KVM_GET_DEBUGREGS: ['read', 0xa1, vcpu.KvmDebugregs],
	KVM_SET_DEBUGREGS: ['write', 0xa2, vcpu.KvmDebugregs],
	KVM_SET_TSC_KHZ: ['none', 0xa2],
	KVM_GET_TSC_KHZ: ['none', 0xa3],
	KVM_GET_XSAVE: ['read', 0xa4, vcpu.KvmXsave],
	KVM_SET_XSAVE: ['write', 0xa5, vcpu.KvmXsave],
	KVM_GET_XSAVE2: ['read', 0xcf, vcpu.KvmXsave],
	KVM_GET_XCRS: ['read', 0xa6, vcpu.KvmXcrs],
	KVM_SET_XCRS: ['write', 0xa7, vcpu.KvmXcrs],
	KVM_KVMCLOCK_CTRL: ['none', 0xad],
	KVM_SET_DEVICE_ATTR: ['write', 0xe1, vcpu.KvmDeviceAttr],
	KVM_GET_DEVICE_ATTR: ['write', 0xe2, vcpu.KvmDeviceAttr],
	KVM_HAS_DEVICE_ATTR: ['write', 0xe3, vcpu.KvmDeviceAttr],
} as const satisfies Record<string, Declaration>;

/** Name of an ioctl that this layer uses. */
export type IoctlName = keyof typeof declarations;

/** The ioctls by name. */
export const ioctls = Object.fromEntries(
	Object.entries<Declaration>(declarations).map(([name, [direction, number, argument]]) => {
		const size = argument?.size ?? 0;
		return [name, {name, direction, number, size, request: ioctlRequest(direction, number, size)}];
	}),
) as Readonly<Record<IoctlName, Ioctl>>;
