import type {BackEndDoorbell, DoorbellBackEnd} from '#devices/doorbells';
import {isVmmError} from '#support/errors';
import {assignIoeventfd, deassignIoeventfd, type Ioeventfd} from './interrupts.ts';

const toIoeventfd = ({space, address, size, match, fd}: BackEndDoorbell): Ioeventfd => ({
	space,
	address,
	length: size === 'any' ? 0 : size,
	...(match !== undefined && {match: BigInt(match)}),
	fd,
});

/** Doorbells of a machine, rung by the kernel. */
export const doorbells = (vmFd: number): DoorbellBackEnd => ({
	assign(doorbell) {
		// The kernel takes writes of any width to memory only.
		if (doorbell.size === 'any' && doorbell.space === 'pio') return false;
		try {
			assignIoeventfd(vmFd, toIoeventfd(doorbell));
			return true;
		} catch (error) {
			// It has them for a thousand places in all, and each once; the bus has no such limits.
			if (isVmmError(error, 'KVM_IOCTL_FAILED')) return false;
			throw error;
		}
	},
	unassign: (doorbell) => deassignIoeventfd(vmFd, toIoeventfd(doorbell)),
});
