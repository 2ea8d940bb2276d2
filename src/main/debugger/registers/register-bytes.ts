import type {ProcessorRegisters, RegisterChanges} from '#vcpu-worker/registers';
import {hexBytes} from '../protocol/index.ts';
import {field, withField} from './fxsave.ts';
import {type Register, registerFile} from './register-file.ts';

const bytesOf = ({bits}: Register): number => bits / 8;

/** Bytes of all registers together. */
export const allRegisterBytes = registerFile.reduce((sum, register) => sum + bytesOf(register), 0);

/** A register's value as the protocol carries it: bytes in the target's order, as digits. */
export function readRegister(register: Register, registers: ProcessorRegisters): string {
	const size = bytesOf(register);
	return hexBytes(withField(new Uint8Array(size), 0, size, register.read(registers)));
}

/** Every register's value, one after the other. */
export const readAllRegisters = (registers: ProcessorRegisters): string =>
	registerFile.map((register) => readRegister(register, registers)).join('');

/** The change that a register's new bytes make; undefined when they are not as many as it has. */
export function writeRegister(
	register: Register,
	registers: ProcessorRegisters,
	bytes: Uint8Array,
): RegisterChanges | undefined {
	return bytes.length === bytesOf(register) ? register.write(registers, field(bytes, 0, bytes.length)) : undefined;
}

/** The change that all registers' new bytes make: only what differs, as writing has side effects. */
export function writeAllRegisters(registers: ProcessorRegisters, bytes: Uint8Array): RegisterChanges | undefined {
	if (bytes.length !== allRegisterBytes) return undefined;
	let changes: RegisterChanges = {};
	let after = registers;
	let at = 0;
	for (const register of registerFile) {
		const size = bytesOf(register);
		const value = field(bytes, at, size);
		at += size;
		if (value === register.read(registers)) continue;
		changes = {...changes, ...register.write(after, value)};
		after = {...after, ...changes};
	}
	return changes;
}
