import type {RamProgress} from '#main/memory';
import type {VmParts} from './vm-parts.ts';

/** Writes a machine that stands still to a core file. @throws CORE_DUMP_FAILED */
export async function writeMachineCore(
	{ram, vcpus}: Pick<VmParts, 'ram' | 'vcpus'>,
	path: string,
	progress?: RamProgress,
): Promise<void> {
	const {writeCore} = await import('#main/core-dump');
	await writeCore(path, {ram, processors: await vcpus.readRegisters()}, progress);
}
