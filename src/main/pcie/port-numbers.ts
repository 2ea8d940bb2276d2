import {errorTable} from '#support/errors';

const numberError = errorTable({
	PCIE_NUMBER_TAKEN: (c: {name: string; address: string}) => ({
		message: `The port ${c.name} is to have the number ${c.address}, which another port has`,
		remedy: 'Give ports with addr= first, or other numbers',
	}),
	PCIE_NUMBERS_SHORT: (c: {name: string}) => ({
		message: `There is no number left for the port ${c.name}: a bus has 256`,
		remedy: 'Use fewer ports, or another root complex',
	}),
	PCIE_FUNCTION_0_MISSING: (c: {device: number}) => ({
		message: `Device ${c.device} has ports but no function 0, so that no guest would find them`,
		remedy: `Give one of them addr=${c.device}`,
	}),
});

/** A port with its number on the bus. */
export interface NumberedPort<P> {
	readonly port: P;
	/** Device number times 8 plus function number. */
	readonly devfn: number;
}

/**
 * Numbers the ports of a bus in their order: as asked, or with the lowest number that is free, as OpenVMM does.
 * @throws VmmError PCIE_NUMBER_TAKEN, PCIE_NUMBERS_SHORT, PCIE_FUNCTION_0_MISSING
 */
export function assignNumbers<P extends {readonly name: string; readonly devfn?: number}>(
	ports: readonly P[],
): NumberedPort<P>[] {
	const taken = new Set<number>();
	const numbered = ports.map((port) => {
		const {name, devfn: asked} = port;
		const devfn = asked ?? Array.from({length: 256}, (_, number) => number).find((number) => !taken.has(number));
		if (devfn === undefined) throw numberError('PCIE_NUMBERS_SHORT', {name});
		if (taken.has(devfn)) throw numberError('PCIE_NUMBER_TAKEN', {name, address: `${devfn >> 3}.${devfn & 7}`});
		taken.add(devfn);
		return {port, devfn};
	});
	const alone = [...taken].find((devfn) => !taken.has(devfn & ~7));
	if (alone !== undefined) throw numberError('PCIE_FUNCTION_0_MISSING', {device: alone >> 3});
	return numbered;
}
