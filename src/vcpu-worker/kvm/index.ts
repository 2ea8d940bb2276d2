export {
	type KvmCapabilities,
	type KvmKind,
	kvmKind,
	type ProbeOptions,
	probeKvm,
	supportedCpuid,
	vcpuMmapSize,
} from './capabilities.ts';
export {getIrqchip, getPit, type IrqchipState, restartPit, setIrqchip, setPit} from './chips.ts';
export {
	Cap,
	type CapName,
	Clock,
	Exit,
	exitName,
	InternalError,
	MpState,
	MsrExitReason,
	SystemEvent,
	VcpuEventValid,
} from './constants.ts';
export {maxCpuidEntries} from './cpuid.ts';
export {kvmError} from './errors.ts';
export {ExitReader, type InternalErrorReport, type IoExit, type MmioExit, type MsrExit} from './exits.ts';
export {type GuestDebug, setGuestDebug} from './guest-debug.ts';
export {interruptController} from './interrupt-controller.ts';
export {
	assignIoeventfd,
	assignIrqfd,
	deassignIoeventfd,
	deassignIrqfd,
	defaultRoutes,
	type GsiRoute,
	type Ioeventfd,
	type MsiMessage,
	setGsiRouting,
} from './interrupts.ts';
export {KickReceiver, kickSignal, prepareThread, VcpuKick} from './kick.ts';
export {kvm} from './kvm-hypervisor.ts';
export {KvmVm, type MemorySlot, reservedRange, splitPins} from './kvm-vm.ts';
export {type MsrFilterRange, setMsrFilter} from './msr-filter.ts';
export {getMsrs, type Msr, type MsrResult, setMsrs} from './msrs.ts';
export {probeDebug} from './probe-debug.ts';
export type {DebugRegisters, VcpuEvents} from './structs-vcpu.ts';
export type {ClockData, IoapicState, PicState, PitState} from './structs-vm.ts';
export {createVm, defaultDevice, msrIndexList, openKvm} from './system.ts';
export {type ControlMemory, controlBytes, KvmVcpu} from './vcpu.ts';
export {
	type ExtendedControlRegister,
	getDebugRegisters,
	getEvents,
	getLapic,
	getTscKhz,
	getXcrs,
	getXsave,
	notifyPaused,
	setDebugRegisters,
	setEvents,
	setLapic,
	setTscKhz,
	setXcrs,
	setXsave,
	translate,
} from './vcpu-state.ts';
