import type {DumpProgress} from '#main/core-dump';
import type {VmParts} from './vm-parts.ts';

/** Writes a machine that stands still to a core file. @throws CORE_DUMP_FAILED */
export async function writeMachineCore(
	{memory, vcpus}: Pick<VmParts, 'memory' | 'vcpus'>,
	path: string,
	progress?: DumpProgress,
): Promise<void> {
	const {writeCore} = await import('#main/core-dump');
	await writeCore(path, {memory, processors: await vcpus.readRegisters()}, progress);
}
