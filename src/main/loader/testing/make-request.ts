import type {BootMachine} from '../boot-image.ts';
import type {LoadRequest} from '../load-request.ts';

/** A machine with RAM from 0 up, ACPI tables at 0x19000 and SMBIOS tables after them. */
export function machineOf(memoryBytes: number): BootMachine {
	return {
		ram: [{gpa: 0, length: memoryBytes}],
		reserved: [
			{gpa: 0x19000, length: 0x2000, kind: 'acpi'},
			{gpa: 0x1b000, length: 0x1000, kind: 'reserved'},
		],
		rsdp: 0xe0000,
	};
}

/** A request for a machine of 256 MiB without initrd, unless told otherwise. */
export function requestFor(kernel: Uint8Array, rest: Partial<LoadRequest> = {}): LoadRequest {
	return {kernel, commandLine: 'console=ttyS0', machine: machineOf(256 << 20), ...rest};
}
