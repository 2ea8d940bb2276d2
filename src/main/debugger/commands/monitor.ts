import {isVmmError} from '#support/errors';
import {hexText, parseAddress, parseBytes} from '../protocol/index.ts';
import {registerFile} from '../registers/index.ts';
import type {Session} from '../session.ts';
import {type Command, failure} from './command.ts';

/** A command of GDB's `monitor`. */
interface MonitorCommand {
	readonly name: string;
	readonly help: string;
	/** Returns what to print. */
	run(session: Session, argument: string): string | Promise<string>;
}

const words = (on: boolean): string => `physical memory mode is ${on ? 'on' : 'off'}`;

/** The commands by the names that QEMU's monitor has, where it has them. */
const monitorCommands: readonly MonitorCommand[] = [
	{
		name: 'help',
		help: 'print this list',
		run: () => monitorCommands.map(({name, help}) => `${name.padEnd(16)} ${help}`).join('\n'),
	},
	{
		name: 'info registers',
		help: "print the selected processor's registers",
		async run(session) {
			const registers = await session.registersOf(session.selected);
			return registerFile
				.filter(({bits}) => bits <= 64)
				.map((register) => `${register.name.padEnd(10)} 0x${register.read(registers).toString(16)}`)
				.join('\n');
		},
	},
	{name: 'info status', help: 'print the state of the machine', run: ({machine}) => machine.state},
	{
		name: 'gva2gpa',
		help: 'print where an address (hexadecimal) leads by the page tables',
		async run(session, argument) {
			const address = parseAddress(argument.replace(/^0x/, ''));
			if (address === undefined) return 'give an address, such as gva2gpa 0xffffffff81000000';
			const physical = (await session.view()).translate(address);
			return physical === undefined ? 'not mapped' : `0x${physical.toString(16)}`;
		},
	},
	{
		name: 'phys',
		help: 'on, off: whether addresses are physical',
		run(session, argument) {
			if (argument === 'on' || argument === 'off') session.physical = argument === 'on';
			return words(session.physical);
		},
	},
	{
		name: 'nmi',
		help: 'send the boot processor a non-maskable interrupt',
		async run({machine}) {
			await machine.nmi();
			return '';
		},
	},
	{
		name: 'reset',
		help: 'put the machine into its state at power-on; it stays stopped',
		async run(session) {
			await session.machine.reset();
			session.forgetRegisters();
			return 'done; `maintenance flush register-cache` makes gdb read the registers again';
		},
	},
	{
		name: 'quit',
		help: 'end the machine',
		run({machine}) {
			// Its end closes this connection: the answer goes first.
			void machine.stop();
			return '';
		},
	},
];

/** `qRcmd`: a line for the monitor. */
export const monitor: Command = async (session, argument) => {
	const bytes = parseBytes(argument);
	if (bytes === undefined) return failure.invalid;
	const text = await answer(session, Buffer.from(bytes).toString().trim());
	return text === '' ? 'OK' : hexText(`${text}\n`);
};

async function answer(session: Session, line: string): Promise<string> {
	const command = monitorCommands.find(({name}) => line === name || line.startsWith(`${name} `));
	if (command === undefined) return 'there is no such command; try help';
	try {
		return await command.run(session, line.slice(command.name.length).trim());
	} catch (error) {
		if (isVmmError(error)) return error.message;
		throw error;
	}
}
