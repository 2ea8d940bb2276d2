import type {OperationSignal} from '#support/abort';

/** Stands, on any thread, for an object that stays with the program which owns a machine: plain data, of that machine alone. */
export interface ProgramHandle {
	readonly programObject: number;
}

/**
 * An object of a program's, as a device calls it: each method has one argument and gives a value or a promise, all plain data. The signal says that
 * nobody waits any more.
 */
// biome-ignore lint/suspicious/noExplicitAny: each object's own arguments
export type ProgramObject = Readonly<Record<string, (argument: any, signal: OperationSignal) => unknown>>;

/** Keeps an object where it is. @returns what stands for it elsewhere */
export type KeepObject = (object: ProgramObject) => ProgramHandle;

/** What became of a call. A program's code may do anything: all of it is an answer, and the value is to be looked at. */
export type ProgramAnswer =
	| {readonly kind: 'value'; readonly value: unknown}
	/** It has thrown, gave what no other thread can have, or too many calls are under way. `code` is its error's own, such as `ENOENT`. */
	| {readonly kind: 'failed'; readonly message: string; readonly code: string | undefined}
	/** Its time is over, or the caller's signal has said so. */
	| {readonly kind: 'given-up'}
	/** There is no such object any more, since the device or the machine goes, or there never was. */
	| {readonly kind: 'gone'};

/** Bounds of one call. */
export interface CallLimits {
	/** Milliseconds; 30 s without this. */
	readonly limitMs?: number;
	readonly signal?: OperationSignal | undefined;
}

/** A device's way to the objects of its machine's program, from its worker. A call costs two hops between threads. */
export interface ProgramCaller {
	/**
	 * Calls a method; never rejects.
	 * @param argument - plain data, as `postMessage` takes it
	 */
	call(object: ProgramHandle, method: string, argument: unknown, limits?: CallLimits): Promise<ProgramAnswer>;
}

/** The way where there is no program: of machines that are looked at, and of tests. */
export const noProgram: ProgramCaller = {call: async () => ({kind: 'gone'})};

/** What a device's worker asks for: a call by its number, or that nobody waits for it any more. */
export type Asked =
	| {readonly call: number; readonly object: number; readonly method: string; readonly argument: unknown}
	| {readonly giveUp: number};

/** What it hears. */
export interface Answered {
	readonly call: number;
	readonly answer: ProgramAnswer;
}
