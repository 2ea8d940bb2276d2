import type {LongOperation} from '#support/abort';
import type {VmParts} from './vm-parts.ts';

/** Writes a machine that stands still to a core file. @throws CORE_DUMP_FAILED, the signal's reason */
export async function writeMachineCore(
	{ram, vcpus}: Pick<VmParts, 'ram' | 'vcpus'>,
	path: string,
	asked: LongOperation,
): Promise<void> {
	const {writeCore} = await import('#main/core-dump');
	await writeCore(path, {ram, processors: await vcpus.readRegisters()}, asked);
}
