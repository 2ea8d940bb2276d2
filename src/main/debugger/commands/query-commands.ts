import {maxPacketBytes, parseCount} from '../protocol/index.ts';
import {targetXml} from '../registers/index.ts';
import {type Command, done, failure, unsupported} from './command.ts';

/** `qSupported`: what both sides know. */
export const features: Command = (session, argument) => {
	session.namesBreakpoints = argument.split(/[:;]/).includes('swbreak+');
	const ours = ['qXfer:features:read+', 'vContSupported+', 'QStartNoAckMode+', 'swbreak+', 'hwbreak+'];
	return [`PacketSize=${maxPacketBytes.toString(16)}`, ...ours].join(';');
};

/** `QStartNoAckMode`: the connection loses nothing, so nothing needs to be acknowledged. */
export const stopAcks: Command = (session) => {
	session.noAcks = true;
	return done;
};

/** `qXfer:features:read:target.xml:OFFSET,LENGTH` */
export const targetDescription: Command = (_session, argument) => {
	const [document, range = ''] = argument.split(':');
	const [first = '', second = ''] = range.split(',');
	const offset = parseCount(first, targetXml.length);
	// Room for the escapes that a description may need.
	const length = parseCount(second, maxPacketBytes / 2);
	if (document !== 'target.xml' || offset === undefined || length === undefined) return failure.invalid;
	const part = targetXml.slice(offset, offset + length);
	return `${offset + length >= targetXml.length ? 'l' : 'm'}${part}`;
};

/** `qAttached`: the machine was there before the debugger, which therefore detaches when it quits. */
export const attached: Command = () => '1';

/** `qSymbol`: we need no symbols. */
export const noSymbols: Command = () => done;

/** `qqemu.PhyMemMode`: whether addresses are physical. */
export const isPhysical: Command = (session) => (session.physical ? '1' : '0');

/** `Qqemu.PhyMemMode:` sets it. */
export const setPhysical: Command = (session, argument) => {
	if (argument !== '0' && argument !== '1') return failure.invalid;
	session.physical = argument === '1';
	return done;
};

/** `vMustReplyEmpty`: what a client learns unknown packets by. */
export const unknown: Command = () => unsupported;
