import {readFileSync} from 'node:fs';
import type {HostTopology} from './processor-topology.ts';

/**
 * Reads how the host's first processor shares its core and package, from sysfs (Linux, Documentation/admin-guide/
 * cputopology.rst). The package size counts processors the host has online.
 * @param read - the text of a file below `/sys/devices/system/cpu/cpu0/topology`, or undefined when there is none
 * @returns undefined when the host does not tell
 */
export function readHostTopology(read: (name: string) => string | undefined = readSysfs): HostTopology | undefined {
	const threads = countCpuList(read('core_cpus_list') ?? read('thread_siblings_list'));
	const vps = countCpuList(read('package_cpus_list') ?? read('core_siblings_list'));
	if (threads === undefined || vps === undefined) return undefined;
	return {threadsPerCore: threads, vpsPerSocket: Math.max(vps, threads)};
}

function readSysfs(name: string): string | undefined {
	try {
		return readFileSync(`/sys/devices/system/cpu/cpu0/topology/${name}`, 'utf8');
	} catch {
		// Sandboxes hide the folder; the caller then uses one socket.
		return undefined;
	}
}

/** Members of a list such as `0-3,8`. */
function countCpuList(text: string | undefined): number | undefined {
	if (text === undefined) return undefined;
	let count = 0;
	for (const part of text.trim().split(',')) {
		const match = /^(\d+)(?:-(\d+))?$/.exec(part);
		if (match === null) return undefined;
		count += Number(match[2] ?? match[1]) - Number(match[1]) + 1;
	}
	return count > 0 ? count : undefined;
}
