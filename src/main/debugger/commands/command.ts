import type {Session} from '../session.ts';

/** Answer to a packet; undefined: a stop reply will follow, or nothing ever. */
export type Reply = string | undefined;

/** Serves the packets that start with its name. @param argument - what follows the name, one character per byte */
export type Command = (session: Session, argument: string) => Reply | Promise<Reply>;

/** Replies that say what went wrong: errno's numbers in hexadecimal. */
export const failure = {permission: 'E01', address: 'E0e', invalid: 'E16', space: 'E1c'} as const;

export const done = 'OK';

/** A packet that is not served. The client finds another way. */
export const unsupported = '';
