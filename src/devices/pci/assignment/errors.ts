import {errorTable, type VmmError} from '#support/errors';
import type {Shortage} from './plan.ts';

const hex = (value: number) => `0x${value.toString(16)}`;

const assignmentError = errorTable({
	PCI_BUSES_TOO_FEW: (c: {complex: string; needed: number; available: number}) => ({
		message: `The ports behind ${c.complex} need ${c.needed} buses, and the root complex has ${c.available}`,
		remedy: 'Give it a larger end_bus, or fewer ports',
	}),
	PCI_WINDOW_TOO_SMALL: (c: {complex: string; window: string; key: string; needed: number; available: number}) => ({
		message: `The devices behind ${c.complex} need ${hex(c.needed)} bytes of its ${c.window}, which has ${hex(c.available)}`,
		remedy: `Give --pcie-root-complex a larger ${c.key}`,
	}),
	PCI_PORTS_TOO_FEW: (c: {complex: string; needed: number; available: number}) => ({
		message: `The devices behind ${c.complex} need ${hex(c.needed)} I/O ports, and it has ${hex(c.available)}`,
		remedy: 'Put them behind the first root complex of segment 0, 15 ports of root ports at most',
	}),
});

/** Gives the error of a machine that has a shortage from its beginning. */
export function shortageError(shortage: Shortage): VmmError {
	switch (shortage.of) {
		case 'buses':
			return assignmentError('PCI_BUSES_TOO_FEW', shortage);
		case 'io':
			return assignmentError('PCI_PORTS_TOO_FEW', shortage);
		case 'low':
			return assignmentError('PCI_WINDOW_TOO_SMALL', {...shortage, window: 'memory below 4 GiB', key: 'low_mmio'});
		case 'high':
			return assignmentError('PCI_WINDOW_TOO_SMALL', {...shortage, window: 'memory above 4 GiB', key: 'high_mmio'});
	}
}
