import {agentProgram} from '#main/agent';
import type {CreateVmOptions} from './options.ts';

/** The agent's program. */
export const loadAgent = (): Promise<Uint8Array> => agentProgram('x86_64');

/** Words of the kernel's command line by which the agent makes a guest of its machine. */
export function guestWords(
	{root, writable}: CreateVmOptions,
	{name, hasDisk}: {name: string; hasDisk: boolean},
): string[] {
	return [
		`openvmm.hostname=${name}`,
		...(hasDisk ? [`openvmm.root=${root ?? '/dev/vda'}`, ...(writable ? [] : [])] : []),
	];
}
