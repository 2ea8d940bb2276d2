import {errorTable} from '#support/errors';

const hex = (value: number) => `0x${value.toString(16)}`;

/** What can be wrong with the addresses and buses of a root complex. */
export const assignmentError = errorTable({
	PCI_BUSES_TOO_FEW: (c: {complex: string; endBus: number}) => ({
		message: `The root complex ${c.complex} has no bus left for all its ports: its last is ${c.endBus}`,
		remedy: 'Give it a larger end_bus, or fewer ports',
	}),
	PCI_WINDOW_TOO_SMALL: (c: {complex: string; window: string; key: string; needed: number; length: number}) => ({
		message: `The devices behind ${c.complex} need ${hex(c.needed)} bytes of its ${c.window}, which has ${hex(c.length)}`,
		remedy: `Give --pcie-root-complex a larger ${c.key}`,
	}),
	PCI_PORTS_TOO_FEW: (c: {complex: string; needed: number; length: number}) => ({
		message: `The devices behind ${c.complex} need ${hex(c.needed)} I/O ports, and it has ${hex(c.length)}`,
		remedy: 'Put them behind the first root complex of segment 0, 15 ports of root ports at most',
	}),
});
