import {
	type Answer,
	type BytesFromGuest,
	type BytesToGuest,
	type Entry,
	type Folder,
	isRefused,
	type Refused,
	settled,
} from '#devices/folder';
import {Errno} from '#support/ffi';
import type {Fid, FidTable} from './fid-table.ts';
import type {InputsOf, Items, Message, ValuesOf} from './message.ts';

/** What a request comes with beside its fields. */
export interface Exchange {
	/** Bytes that the reply may have. */
	readonly room: number;
	/** Bytes behind the request's fields; undefined where there are not as many. */
	sent(length: number): BytesFromGuest | undefined;
	/** Room for so many bytes behind a reply's first ones. */
	space(start: number, length: number): BytesToGuest;
}

/** A client's session, as its requests see it. */
export interface Session {
	readonly folder: Folder;
	readonly fids: FidTable;
}

/** What a request is answered with. */
export interface Outcome {
	readonly message: Message;
	readonly values: Readonly<Record<string, unknown>>;
	/** Bytes that follow. */
	readonly behind?: Uint8Array;
	/** So many bytes follow that are in the client's buffers already. */
	readonly moved?: number;
}

/** What is done for one type of request. */
export interface Operation {
	readonly request: Message;
	serve(session: Session, fields: never, exchange: Exchange): Answer<Outcome>;
}

export const operation = <const T extends Items>(
	request: Message<T>,
	serve: (session: Session, fields: ValuesOf<T>, exchange: Exchange) => Answer<Outcome>,
): Operation => ({request: request as unknown as Message, serve: serve as Operation['serve']});

/** Answers with a message, and what lies behind its fields. */
export const outcome = <const T extends Items>(
	message: Message<T>,
	values: InputsOf<T>,
	rest: Pick<Outcome, 'behind' | 'moved'> = {},
): Outcome => ({message: message as unknown as Message, values, ...rest});

/** Does something with a fid, which stays until that is done. */
export function using<T>({folder, fids}: Session, number: number, act: (fid: Fid) => Answer<T>): Answer<T> {
	const fid = fids.get(number);
	if (fid === undefined) return -Errno.EBADF;
	return fids.hold(fid, () =>
		settled<T, T>(act(fid), (answer) => (answer === -Errno.ESTALE ? foundAgain(folder, fid, act) : answer)),
	);
}

/** A file of several names may have lost the one by which the folder knew it: it may still be where this fid found it, and then what was asked is done there. */
function foundAgain<T>(folder: Folder, fid: Fid, act: (fid: Fid) => Answer<T>): Answer<T> {
	const {node, place} = fid.file;
	if (place === undefined) return -Errno.ESTALE;
	return settled(folder.lookup(place.parent, place.name), (found): Answer<T> => {
		if (isRefused(found)) return -Errno.ESTALE;
		const entry = found as Entry;
		folder.forget(entry.node, 1);
		return entry.node === node ? act(fid) : -Errno.ESTALE;
	});
}

/** The same with two. */
export const usingBoth = <T>(
	session: Session,
	one: number,
	other: number,
	act: (one: Fid, other: Fid) => Answer<T>,
): Answer<T> => using(session, one, (first) => using(session, other, (second) => act(first, second)));

/** An operation that this server has not. */
export const unsupported = (): Refused => -Errno.EOPNOTSUPP;
