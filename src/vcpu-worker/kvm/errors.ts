import {errorTable} from '#support/errors';
import {errnoName} from '#support/ffi';

const loadModule =
	'Load the KVM module (modprobe kvm_intel or kvm_amd), turn on virtualization in the firmware, or nested ' +
	'virtualization when this is itself a virtual machine; in a checkout, `npm run incubator` gives an emulated host with KVM';

/** Errors between this program and KVM. `errno` is positive, its name is in the message. */
export const kvmError = errorTable({
	KVM_MISSING: (c: {readonly path: string; readonly errno: number}) => ({
		message: `No KVM on this host: opening ${c.path} gave ${errnoName(c.errno)}`,
		remedy: loadModule,
	}),
	KVM_PERMISSION: (c: {readonly path: string; readonly errno: number; readonly group: string}) => ({
		message: `No permission to use ${c.path} (${errnoName(c.errno)})`,
		remedy: `Add your user to the group that owns it (usermod -aG ${c.group} $USER, then log in again), or run as root`,
	}),
	KVM_BUSY: (c: {readonly path: string; readonly errno: number}) => ({
		message: `${c.path} cannot start a virtual machine (${errnoName(c.errno)}): another hypervisor uses the processor's virtualization`,
		remedy: 'Stop the other hypervisor (VirtualBox, VMware, …) or unload its kernel module',
	}),
	KVM_API_VERSION: (c: {readonly path: string; readonly found: number; readonly wanted: number}) => ({
		message: `${c.path} speaks KVM API version ${c.found}, version ${c.wanted} is needed`,
		remedy: 'Use a Linux kernel of 2.6.22 or later',
	}),
	KVM_IOCTL_FAILED: (c: {readonly ioctl: string; readonly errno: number; readonly detail?: string}) => ({
		message: `${c.ioctl} failed with ${errnoName(c.errno)}${c.detail === undefined ? '' : `: ${c.detail}`}`,
		remedy: '`openvmm doctor` shows what this host supports',
	}),
	KVM_MSR_RANGES: (c: {readonly msr: number; readonly ranges: number}) => ({
		message: `Devices claim model-specific registers in too many places for KVM, which filters ${c.ranges}: 0x${c.msr.toString(16)} is beyond them`,
		remedy: 'Leave out devices that claim such registers, or let them claim registers that lie closer together',
	}),
	HOST_CALL_FAILED: (c: {readonly call: string; readonly errno: number}) => ({
		message: `${c.call} failed with ${errnoName(c.errno)}`,
		remedy: 'Check the limits of this process on memory, open files and pending signals (ulimit -a)',
	}),
});
