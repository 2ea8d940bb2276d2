import type {LongOperation} from '#support/abort';
import type {VmParts} from './vm-parts.ts';

/** What a Linux kernel says of itself in its memory (VMCOREINFO), where that is found. @throws the signal's reason */
export async function findKernelNotes(
	{ram}: Pick<VmParts, 'ram'>,
	asked: LongOperation = {},
): Promise<string | undefined> {
	const {findNotes} = await import('#main/core-dump');
	const text = await findNotes(ram, asked);
	return text && Buffer.from(text).toString('latin1');
}
