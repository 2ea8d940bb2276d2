import type {AttributeChanges} from '#devices/folder';
import {Errno} from '#support/ffi';

/** What a client has by number: a file that it knows, or one that it has open. */
export type Ref = number;
/** Or the name of an error, as of errno(3). */
export type Errored<T> = T | string;

/** What is told of a file. */
export interface Told {
	readonly mode: number;
	readonly size: number;
	readonly links: number;
	readonly uid: number;
	readonly gid: number;
	/** Seconds. */
	readonly modified: number;
}

/** What a guest's kernel asks a server of files for, whatever the protocol. Each file that is found is dropped by who asked. */
export interface PosixClient {
	readonly root: Ref;
	find(parent: Ref, name: string): Promise<Errored<Ref>>;
	drop(file: Ref): Promise<void>;
	told(file: Ref): Promise<Errored<Told>>;
	change(file: Ref, changes: AttributeChanges): Promise<string>;
	makeDirectory(parent: Ref, name: string, mode: number): Promise<string>;
	makeNode(parent: Ref, name: string, mode: number): Promise<string>;
	makeLink(parent: Ref, name: string, target: string): Promise<string>;
	target(file: Ref): Promise<string>;
	/** Makes a file, and closes it. */
	create(parent: Ref, name: string, flags: number, mode: number): Promise<string>;
	remove(parent: Ref, name: string, isDirectory: boolean): Promise<string>;
	rename(parent: Ref, name: string, newParent: Ref, newName: string): Promise<string>;
	link(file: Ref, parent: Ref, name: string): Promise<string>;
	/** @returns a handle */
	open(file: Ref, flags: number): Promise<Errored<Ref>>;
	read(handle: Ref): Promise<string>;
	write(handle: Ref, offset: number, text: string): Promise<string>;
	close(file: Ref, handle: Ref): Promise<void>;
	names(directory: Ref): Promise<readonly string[]>;
	dispose(): Promise<void>;
}

/** The name of a negated errno; `0` for none. */
export const errnoOf = (result: number): string =>
	result >= 0 ? '0' : (Object.entries(Errno).find(([, number]) => number === -result)?.[0] ?? `${result}`);
