import {insertBreakpoint, removeBreakpoint} from './breakpoint-commands.ts';
import type {Command} from './command.ts';
import {attach, extendedMode, kill, killProcess, lastStop, restart} from './life-commands.ts';
import {readMemory, writeBinary, writeMemory} from './memory-commands.ts';
import {monitor} from './monitor.ts';
import {
	attached,
	features,
	isPhysical,
	noSymbols,
	setPhysical,
	stopAcks,
	targetDescription,
	unknown,
} from './query-commands.ts';
import {readAll, readOne, writeAll, writeOne} from './register-commands.ts';
import {goOn, runActions, runThreads, stepOne, withoutSignal} from './run-commands.ts';
import {currentThread, describeThread, isAlive, listThreads, noMoreThreads, selectThread} from './thread-commands.ts';

export {type Command, failure, type Reply} from './command.ts';

/** The packets by their beginnings, the longer of two that fit first. `D` is the connection's. */
const commands: readonly (readonly [name: string, command: Command])[] = [
	['qSupported', features],
	['QStartNoAckMode', stopAcks],
	['qXfer:features:read:', targetDescription],
	['qAttached', attached],
	['qSymbol:', noSymbols],
	['qqemu.PhyMemMode', isPhysical],
	['Qqemu.PhyMemMode:', setPhysical],
	['qfThreadInfo', listThreads],
	['qsThreadInfo', noMoreThreads],
	['qThreadExtraInfo,', describeThread],
	['qRcmd,', monitor],
	['vCont?', runActions],
	['vCont', runThreads],
	['vKill', killProcess],
	['vAttach', attach],
	['vMustReplyEmpty', unknown],
	['?', lastStop],
	['!', extendedMode],
	['g', readAll],
	['G', writeAll],
	['p', readOne],
	['P', writeOne],
	['m', readMemory],
	['M', writeMemory],
	['X', writeBinary],
	['Z', insertBreakpoint],
	['z', removeBreakpoint],
	['H', selectThread],
	['T', isAlive],
	['c', goOn],
	['s', stepOne],
	['C', withoutSignal(goOn)],
	['S', withoutSignal(stepOne)],
	['R', restart],
	['k', kill],
];

/** The command for a packet, and what follows its name; undefined when there is none. */
export function findCommand(packet: string): {readonly command: Command; readonly argument: string} | undefined {
	// qC is a whole packet: qCRC and others begin alike.
	if (packet === 'qC') return {command: currentThread, argument: ''};
	const found = commands.find(([name]) => packet.startsWith(name));
	return found && {command: found[1], argument: packet.slice(found[0].length)};
}
