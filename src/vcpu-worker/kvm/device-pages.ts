import type {PagesBackEnd} from '#devices/bar-pages';
import {isVmmError} from '#support/errors';
import {KvmVm} from './kvm-vm.ts';

/**
 * Memory of a machine's PCI functions in slots of its VM, the last ones, so that they have nothing to do with those of RAM.
 * @param slots - how many the VM has
 */
export function devicePages(vmFd: number, slots: number): PagesBackEnd {
	const vm = KvmVm.fromFd(vmFd);
	const slotOf = (entry: number) => slots - 1 - entry;
	return {
		map(entry, {gpa, length, hostAddress}) {
			try {
				vm.setMemory({slot: slotOf(entry), gpa, length, hostAddress: BigInt(hostAddress)});
				return true;
			} catch (error) {
				// The kernel may be short of memory; the bus is not.
				if (isVmmError(error, 'KVM_IOCTL_FAILED')) return false;
				throw error;
			}
		},
		unmap: (entry) => vm.clearMemory(slotOf(entry)),
	};
}
