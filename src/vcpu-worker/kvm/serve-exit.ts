import type {AccessSize, Halves} from '#devices/device';
import type {IoBus, MsrBus} from '#devices/io-bus';
import type {IoExit, MmioExit, MsrExit} from './exits.ts';

/** Serves a port access: each item of a string access is one access of its own. */
export function servePort(exit: IoExit, bus: IoBus): void {
	const {port, size, count} = exit;
	if (exit.isWrite) {
		for (let i = 0; i < count; i++) bus.writePort(port, size, exit.read(i));
	} else {
		for (let i = 0; i < count; i++) exit.write(i, bus.readPort(port, size));
	}
}

/** Serves a memory access outside RAM, in parts of at most four bytes, lowest address first. */
export function serveMmio(exit: MmioExit, bus: IoBus): void {
	const {address, length, isWrite} = exit;
	for (let offset = 0; offset < length; ) {
		const left = length - offset;
		const part: AccessSize = left >= 4 ? 4 : left >= 2 ? 2 : 1;
		if (isWrite) bus.writeMmio(address + offset, part, exit.read(offset, part));
		else exit.write(offset, part, bus.readMmio(address + offset, part));
		offset += part;
	}
}

/** Serves an RDMSR that KVM leaves to us. @param value - the processor's own, to carry the value */
export function serveRdmsr(exit: MsrExit, msrs: MsrBus, value: Halves): void {
	value.low = 0;
	value.high = 0;
	if (msrs.read(exit.index, value)) exit.answer(value.low, value.high);
	else exit.refuse();
}

/** The same for a WRMSR. */
export function serveWrmsr(exit: MsrExit, msrs: MsrBus, value: Halves): void {
	value.low = exit.low;
	value.high = exit.high;
	if (msrs.write(exit.index, value)) exit.accept();
	else exit.refuse();
}
