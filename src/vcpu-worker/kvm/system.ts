import {statSync} from 'node:fs';
import type {VmmError} from '#support/errors';
import {close, Errno, O, open} from '#support/ffi';
import {ArgumentBuffer} from './argument-buffer.ts';
import {API_VERSION} from './constants.ts';
import {kvmError} from './errors.ts';
import {ioctl, ioctlError, kvmIoctl} from './ioctl.ts';
import {ioctls} from './ioctls.ts';
import {KvmMsrList} from './structs-vm.ts';

/** The device every KVM program opens. */
export const defaultDevice = '/dev/kvm';

/**
 * Opens KVM. The caller closes the descriptor.
 * @throws KVM_MISSING, KVM_PERMISSION, KVM_API_VERSION
 */
export function openKvm(device = defaultDevice): number {
	const fd = open(device, O.RDWR);
	if (fd < 0) throw openFailure(device, -fd);
	const found = ioctl(fd, ioctls.KVM_GET_API_VERSION.request, 0);
	if (found === API_VERSION) return fd;
	close(fd);
	// Something else answers to this name: a plain file gives ENOTTY.
	if (found < 0) throw kvmError('KVM_MISSING', {path: device, errno: -found});
	throw kvmError('KVM_API_VERSION', {path: device, found, wanted: API_VERSION});
}

/** The error of a failed open(2) of the device. */
export function openFailure(path: string, errno: number): VmmError {
	if (errno !== Errno.EACCES && errno !== Errno.EPERM) return kvmError('KVM_MISSING', {path, errno});
	return kvmError('KVM_PERMISSION', {path, errno, group: owningGroup(path)});
}

/** Name of the group that owns the device; distributions call it kvm. */
function owningGroup(path: string): string {
	const gid = statSync(path, {throwIfNoEntry: false})?.gid;
	if (gid === undefined) return 'kvm';
	try {
		// Loaded for an error message only: the module is large.
		const {execFileSync} = process.getBuiltinModule('node:child_process');
		return execFileSync('getent', ['group', String(gid)], {encoding: 'utf8'}).split(':')[0] ?? 'kvm';
	} catch {
		return 'kvm';
	}
}

/**
 * Creates a VM (KVM_CREATE_VM). The caller closes the descriptor.
 * @throws KVM_BUSY when another hypervisor holds the processor, KVM_IOCTL_FAILED
 */
export function createVm(kvmFd: number, device = defaultDevice): number {
	let fd: number;
	// Starting the first VM may be interrupted while the processors are switched over.
	do fd = ioctl(kvmFd, ioctls.KVM_CREATE_VM.request, 0);
	while (fd === -Errno.EINTR);
	if (fd >= 0) return fd;
	throw createFailure(device, -fd);
}

/** The error of a failed KVM_CREATE_VM. */
export const createFailure = (path: string, errno: number): VmmError =>
	errno === Errno.EBUSY ? kvmError('KVM_BUSY', {path, errno}) : ioctlError('KVM_CREATE_VM', errno);

/** The MSRs that make up a vCPU's state on this host (KVM_GET_MSR_INDEX_LIST). */
export function msrIndexList(kvmFd: number): number[] {
	const sizing = new ArgumentBuffer();
	sizing.with(KvmMsrList, {nmsrs: 0});
	const probed = ioctl(kvmFd, ioctls.KVM_GET_MSR_INDEX_LIST.request, sizing.address);
	// E2BIG tells how many there are; it is the expected answer.
	if (probed < 0 && probed !== -Errno.E2BIG) throw ioctlError('KVM_GET_MSR_INDEX_LIST', -probed);
	const {nmsrs} = KvmMsrList.read(sizing.view);
	const buffer = new ArgumentBuffer(KvmMsrList.size + nmsrs * 4);
	kvmIoctl(kvmFd, 'KVM_GET_MSR_INDEX_LIST', buffer.with(KvmMsrList, {nmsrs}));
	const count = Math.min(KvmMsrList.read(buffer.view).nmsrs, nmsrs);
	return Array.from({length: count}, (_, index) => buffer.view.getUint32(KvmMsrList.size + index * 4, true));
}
