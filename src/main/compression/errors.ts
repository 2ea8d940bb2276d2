import {formatBytes} from '#main/config';
import {errorTable} from '#support/errors';

type Archive = {readonly found: string; readonly tool: string};

/** Errors of a kernel file that is compressed. */
export const archiveError = errorTable({
	KERNEL_ARCHIVE_TRUNCATED: (c: Archive & {bytes: number}) => ({
		message: `The kernel file is ${c.found} that is cut off after ${c.bytes} bytes`,
		remedy: 'Copy or download the file again',
	}),
	KERNEL_ARCHIVE_DAMAGED: (c: Archive & {what: string}) => ({
		message: `The kernel file is ${c.found} that is damaged: ${c.what}`,
		remedy: 'Copy or download the file again',
	}),
	KERNEL_ARCHIVE_UNSUPPORTED: (c: Archive & {what: string}) => ({
		message: `The kernel file is ${c.found} that cannot be decompressed here: ${c.what}`,
		remedy: `Decompress it first (${c.tool})`,
	}),
	MEMORY_BELOW_ARCHIVE: (c: Archive & {limit: number}) => ({
		message: `The kernel file is ${c.found} that holds more than ${formatBytes(c.limit)}`,
		remedy: `Give the machine more memory than the kernel takes (--memory); what has more than 1 GB decompress first (${c.tool})`,
	}),
});

/** Makes the errors of one archive. */
export type ArchiveFault = {
	truncated(): Error;
	damaged(what: string): Error;
	unsupported(what: string): Error;
	/** Something is behind the end of the only member that is read. */
	trailing(length: number): Error;
};

/** @param bytes - the archive */
export function faultsOf({found, tool}: Archive, bytes: Uint8Array): ArchiveFault {
	const archive = {found, tool};
	const unsupported = (what: string) => archiveError('KERNEL_ARCHIVE_UNSUPPORTED', {...archive, what});
	return {
		truncated: () => archiveError('KERNEL_ARCHIVE_TRUNCATED', {...archive, bytes: bytes.length}),
		damaged: (what) => archiveError('KERNEL_ARCHIVE_DAMAGED', {...archive, what}),
		unsupported,
		trailing: (length) =>
			unsupported(`${length} bytes follow its end, and only one archive with nothing behind it is read`),
	};
}
