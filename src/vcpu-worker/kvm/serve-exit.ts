import type {AccessSize} from '#devices/device';
import type {IoBus} from '#devices/io-bus';
import {answerUnknownMsr} from '#vcpu-worker/msr-policy';
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

/** Serves an access to a model-specific register that KVM does not know, as the policy has it. */
export function serveMsr(exit: MsrExit, isWrite: boolean): void {
	const answer = answerUnknownMsr(exit.index, isWrite, isWrite ? BigInt(exit.high) * 2n ** 32n + BigInt(exit.low) : 0n);
	if (answer === 'gp') exit.refuse();
	else if (isWrite) exit.accept();
	else exit.answer(Number(answer.value & 0xffff_ffffn), Number(answer.value >> 32n));
}
