import {parseBytes, parseCount} from '../protocol/index.ts';
import {readAllRegisters, readRegister, registerFile, writeAllRegisters, writeRegister} from '../registers/index.ts';
import {type Command, done, failure} from './command.ts';

/** `g`: every register. */
export const readAll: Command = async (session) => readAllRegisters(await session.registersOf(session.selected));

/** `G`: every register's new value. */
export const writeAll: Command = async (session, argument) => {
	const bytes = parseBytes(argument);
	const changes = bytes && writeAllRegisters(await session.registersOf(session.selected), bytes);
	if (changes === undefined) return failure.invalid;
	await session.changeRegisters(changes);
	return done;
};

/** `p`: one register. */
export const readOne: Command = async (session, argument) => {
	const register = registerFile[parseCount(argument, registerFile.length) ?? -1];
	if (register === undefined) return failure.invalid;
	return readRegister(register, await session.registersOf(session.selected));
};

/** `P`: one register's new value. */
export const writeOne: Command = async (session, argument) => {
	const [number = '', value = ''] = argument.split('=');
	const register = registerFile[parseCount(number, registerFile.length) ?? -1];
	const bytes = parseBytes(value);
	if (register === undefined || bytes === undefined) return failure.invalid;
	const changes = writeRegister(register, await session.registersOf(session.selected), bytes);
	if (changes === undefined) return failure.invalid;
	await session.changeRegisters(changes);
	return done;
};
