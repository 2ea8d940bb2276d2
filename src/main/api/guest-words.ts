import {readFile} from 'node:fs/promises';
import {planOf, usualCidr} from '#devices/network/user';
import {agentPortName} from '#main/agent';
import type {OpenedImage} from '#main/oci';
import {guestAgent} from '#main/workers';
import {rootName} from './compose.ts';
import type {NetworkChoice, NetworkOptions} from './network.ts';
import type {CreateVmOptions} from './options.ts';
import {agentWay} from './reach-agent.ts';

/** The agent's program. */
export const loadAgent = (): Promise<Uint8Array> => readFile(guestAgent('x86_64'));

/** Words of the kernel's command line by which the agent makes a guest of its machine. @param image - what its root is, if it has one */
export function guestWords(
	options: CreateVmOptions,
	{name, image}: {readonly name: string; readonly image: OpenedImage['kind'] | undefined},
): string[] {
	const port = agentWay(options) === 'console' ? [`openvmm.agent=console:${agentPortName}`] : [];
	return [`openvmm.hostname=${name}`, ...port, ...rootWords(image, options), ...ipWords(options.network ?? true)];
}

function rootWords(
	image: OpenedImage['kind'] | undefined,
	{root, writable}: Pick<CreateVmOptions, 'root' | 'writable'>,
): string[] {
	if (image === undefined) return [];
	if (image !== 'folder') return [`root=${root ?? '/dev/vda'}`, 'rw'];
	// What the guest writes to a folder that it may not change stays in its own memory.
	return [`root=${rootName}`, 'rootfstype=virtiofs', ...(writable === true ? ['rw'] : ['ro', 'openvmm.overlay=tmpfs'])];
}

/** The address that the network gives, which so needs no client of DHCP in the guest (Linux, Documentation/admin-guide/nfs/nfsroot.rst). */
function ipWords(network: NetworkChoice): string[] {
	if (network === false) return [];
	const choice = network === true ? {} : 'endpoint' in network ? network.endpoint : network;
	// Another way to carry its frames gives no address.
	if (typeof choice === 'string' || ('kind' in choice && choice.kind !== 'consomme')) return [];
	const {cidr = usualCidr} = choice as NetworkOptions;
	const plan = planOf(cidr);
	const address = plan?.guest(0);
	// What is no network is told of with the NIC.
	if (plan === undefined || address === undefined) return [];
	const [own, gateway, mask] = [address, plan.gateway, plan.mask].map((bytes) => bytes.join('.'));
	return [`ip=${own}::${gateway}:${mask}:::off:${gateway}`];
}
