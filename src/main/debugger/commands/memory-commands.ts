import {hexBytes, maxPacketBytes, parseAddress, parseBytes, parseCount} from '../protocol/index.ts';
import {type Command, done, failure} from './command.ts';

/** `m`: memory, as much of it as is there and fits a packet. */
export const readMemory: Command = async (session, argument) => {
	const range = parseRange(argument, maxPacketBytes / 2);
	if (range === undefined) return failure.invalid;
	const bytes = (await session.view()).read(range.address, range.length);
	return bytes.length === 0 && range.length > 0 ? failure.address : hexBytes(bytes);
};

/** `M`: memory's new contents, in digits. */
export const writeMemory: Command = (session, argument) => {
	const [range, data] = splitData(argument);
	return write(session, range, parseBytes(data));
};

/** `X`: memory's new contents, as bytes. */
export const writeBinary: Command = (session, argument) => {
	const [range, data] = splitData(argument);
	return write(session, range, Buffer.from(data, 'latin1'));
};

async function write(session: Parameters<Command>[0], text: string, bytes: Uint8Array | undefined): Promise<string> {
	const range = parseRange(text, maxPacketBytes);
	if (range === undefined || bytes === undefined || bytes.length !== range.length) return failure.invalid;
	// A client asks with no bytes at all whether this packet is known.
	if (bytes.length === 0) return done;
	return (await session.view()).write(range.address, bytes) ? done : failure.address;
}

function splitData(argument: string): [string, string] {
	const colon = argument.indexOf(':');
	return colon < 0 ? [argument, ''] : [argument.slice(0, colon), argument.slice(colon + 1)];
}

function parseRange(text: string, max: number): {readonly address: bigint; readonly length: number} | undefined {
	const [first = '', second = '', ...rest] = text.split(',');
	const address = parseAddress(first);
	const length = parseCount(second, max);
	return address === undefined || length === undefined || rest.length > 0 ? undefined : {address, length};
}
