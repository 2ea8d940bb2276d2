/** Value of a leaf. A bigint is a 64-bit register or address. */
export type Value = string | number | bigint | boolean;

/** At once, or later: whoever owns the node may live on another thread, or be busy. */
export type Answer<T> = T | Promise<T>;

/** Unit of a number, by which a terminal shows it readably. */
export type Unit = 'ns' | 'bytes';

/** Changes a leaf's value from text. */
export interface Writer {
	/** Describes the texts that it takes, for errors and for a person. */
	readonly expected: string;
	/** False when `text` is no such value; nothing has changed then. */
	write(text: string): Answer<boolean>;
}

/** A value that is read when somebody asks for it. */
export interface LeafNode {
	readonly kind: 'leaf';
	read(): Answer<Value>;
	readonly format?: 'hex';
	readonly unit?: Unit;
	/** Guest data or host addresses: marked, and left out of what is shown to strangers. */
	readonly sensitive?: boolean;
	/** Without one the leaf is read-only. */
	readonly writer?: Writer;
}

/** Named nodes, listed when somebody asks for them. */
export interface ObjectNode {
	readonly kind: 'object';
	children(): Answer<Children>;
	readonly sensitive?: boolean;
}

/** A node of an inspect tree; a plain value is a leaf that is known already. */
export type InspectNode = Value | LeafNode | ObjectNode;

/** Children by name, in the order they are shown. Names hold no slash. Undefined ones are not there. */
export type Children = Readonly<Record<string, InspectNode | undefined>>;

/** A name as a path can hold it: a slash would end it. */
export const nodeName = (name: string): string => name.replaceAll('/', '∕');

/** An object whose children are made when asked for. */
export const object = (children: () => Answer<Children>, options: {readonly sensitive?: boolean} = {}): ObjectNode => ({
	kind: 'object',
	children,
	...options,
});

/** A leaf. */
export const leaf = (read: () => Answer<Value>, options: Omit<LeafNode, 'kind' | 'read'> = {}): LeafNode => ({
	kind: 'leaf',
	read,
	...options,
});

/** A number or bigint shown in hexadecimal. */
export const hex = (value: number | bigint): LeafNode => leaf(() => value, {format: 'hex'});

/** A count of bytes. */
export const byteCount = (value: number): LeafNode => leaf(() => value, {unit: 'bytes'});

/** A length of time in nanoseconds. */
export const duration = (valueNs: number): LeafNode => leaf(() => valueNs, {unit: 'ns'});
