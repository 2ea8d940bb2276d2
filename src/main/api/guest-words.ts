import {readFile} from 'node:fs/promises';
import {planOf} from '#devices/network/user';
import {guestAgent} from '#main/workers';
import type {NetworkChoice} from './network.ts';
import type {CreateVmOptions} from './options.ts';

/** The agent's program. */
export const loadAgent = (): Promise<Uint8Array> => readFile(guestAgent('x86_64'));

/** Words of the kernel's command line by which the agent makes a guest of its machine. @param hasDisk - there is a disk with its root */
export function guestWords(
	{root = '/dev/vda', network = true}: CreateVmOptions,
	{name, hasDisk}: {readonly name: string; readonly hasDisk: boolean},
): string[] {
	return [`openvmm.hostname=${name}`, ...(hasDisk ? [`root=${root}`, 'rw'] : []), ...ipWords(network)];
}

const usualCidr = '10.0.0.0/24';

/** The address that the network gives, which so needs no client of DHCP in the guest (Linux, Documentation/admin-guide/nfs/nfsroot.rst). */
function ipWords(network: NetworkChoice): string[] {
	if (network === false || (typeof network === 'object' && 'endpoint' in network)) return [];
	const {cidr = usualCidr} = network === true ? {} : network;
	const plan = planOf(cidr);
	const address = plan?.guest(0);
	// What is no network is told of with the NIC.
	if (plan === undefined || address === undefined) return [];
	const [own, gateway, mask] = [address, plan.gateway, plan.mask].map((bytes) => bytes.join('.'));
	return [`ip=${own}::${gateway}:${mask}:::off:${gateway}`];
}
