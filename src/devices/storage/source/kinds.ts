import {blobKind} from './blob-kind.ts';
import {cryptKind} from './crypt-kind.ts';
import type {DiskKind} from './disk-kind.ts';
import type {DiskSource} from './disk-source.ts';
import {fileKind} from './file-kind.ts';
import {memdiffKind} from './memdiff-kind.ts';
import {memoryKind} from './memory-kind.ts';
import {partitionKind} from './partition-kind.ts';
import {stripedKind} from './striped-kind.ts';

/** All kinds of disks, by the name that they have as data. */
const kinds: {readonly [K in DiskSource['kind']]: DiskKind<Extract<DiskSource, {kind: K}>>} = {
	file: fileKind,
	memory: memoryKind,
	memdiff: memdiffKind,
	crypt: cryptKind,
	striped: stripedKind,
	partition: partitionKind,
	blob: blobKind,
};

type AnyKind = DiskKind<DiskSource>;
const list = Object.values(kinds) as readonly AnyKind[];

/** How disks may be written, for errors and help. */
export const diskForms: string = list.map(({form}) => form).join(', ');

/** The kind of a disk that is right. */
export const kindOf = ({kind}: DiskSource): AnyKind => kinds[kind] as AnyKind;

/** The kind that data says it is of, which may be anybody's. */
export const kindNamed = (name: unknown): AnyKind | undefined =>
	typeof name === 'string' && Object.hasOwn(kinds, name) ? kindOf({kind: name} as DiskSource) : undefined;

/** The kind that is written so. */
export const kindOfPrefix = (prefix: string): AnyKind | undefined => list.find((kind) => kind.prefix === prefix);
