import type {AccessSize} from '#devices/device';
import type {IoBus} from '#devices/io-bus';
import type {MmioExit, PortExit} from '#vcpu-worker/backend';

/** Serves a port access: each item of a string access is one access of its own. */
export function servePort(exit: PortExit, bus: IoBus): void {
	const {port, size, count} = exit;
	if (exit.isWrite) {
		for (let i = 0; i < count; i++) bus.writePort(port, size, exit.item(i));
	} else {
		for (let i = 0; i < count; i++) exit.setItem(i, bus.readPort(port, size));
	}
}

/** Serves a memory access outside RAM, in parts of at most four bytes, lowest address first. */
export function serveMmio(exit: MmioExit, bus: IoBus): void {
	const {address, size, isWrite} = exit;
	for (let offset = 0; offset < size; ) {
		const left = size - offset;
		const part: AccessSize = left >= 4 ? 4 : left >= 2 ? 2 : 1;
		if (isWrite) bus.writeMmio(address + offset, part, exit.part(offset, part));
		else exit.setPart(offset, part, bus.readMmio(address + offset, part));
		offset += part;
	}
}
