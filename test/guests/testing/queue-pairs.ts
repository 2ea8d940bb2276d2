/**
 * Shell by which a guest of two processors sends three pings by each of two pairs of queues of a NIC on PCI Express: an answer comes by the pair that was
 * sent by, which the pair's interrupts tell.
 * @param nic - its name in the guest, or what gives it
 * @param address - of who answers
 */
export const pingByPairs = (nic: string, address: string): readonly string[] => [
	// How often the NIC has told that something has come by a pair, on both processors (/proc/interrupts).
	`c() { grep "$(basename $(readlink /sys/class/net/${nic}/device))-input.$1" /proc/interrupts | (read irq a b rest; echo $((a + b))); }`,
	// All processors send by one pair: pair, the other.
	`p() { echo 0 >queues/tx-$2/xps_cpus; echo 3 >queues/tx-$1/xps_cpus; b=$(c $1); for each in 1 2 3; do ping -c 1 -W 60 ${address} >/dev/null; done; echo pair$1=$(($(c $1) - b)); }`,
	`cd /sys/class/net/${nic}; p 1 0; p 0 1; cd /`,
];

/** What the guest says of it: by how many interrupts each pair has told of answers. NaN where it says nothing. */
export const answersByPairs = (output: string): readonly number[] =>
	[0, 1].map((pair) => Number(new RegExp(`^pair${pair}=(\\d+)\\r?$`, 'm').exec(output)?.[1]));
