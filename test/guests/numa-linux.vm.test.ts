import {join} from 'node:path';
import {parseNuma, parsePcieRootComplex, parsePcieRootPort, type VmOptions} from '#main/config';
import {linuxTest, runInLinux} from '#test/petri';

const engine = join(process.cwd(), 'guide/examples/dma-engine.ts');

/** Two nodes of different size and processors (by socket it would be two and one), and a third that only a device belongs to. */
const options: VmOptions = {
	processors: {count: 3, vpsPerSocket: 1},
	numa: {
		nodes: ['size=256M,vps=[0]', 'size=192M,vps=[1-2]', 'size=0,vps=[]'].map((text) => parseNuma(text)),
		distances: [
			{from: 0, to: 1, distance: 30},
			{from: 1, to: 0, distance: 40},
		],
	},
	pcie: {
		rootComplexes: ['rc0,end_bus=15', 'rc1,start_bus=16,end_bus=31,node=1'].map((text) => parsePcieRootComplex(text)),
		rootPorts: ['rc0:rp0', 'rc1:rp1'].map((text) => parsePcieRootPort(text)),
		genericInitiators: [{port: 'rp1', node: 2}],
	},
	devices: ['rp0', 'rp1'].map((port) => ({module: engine, name: `at-${port}`, port})),
};

linuxTest(
	'Linux finds the nodes, their processors and memory, distances, and where a device is',
	async (t, machine) => {
		const guest = await runInLinux(machine, options, [
			"grep -E 'Node.*DMA32|spanned|start_pfn' /proc/zoneinfo",
			'cd /sys/devices/system/node',
			'echo initiators=$(cat has_generic_initiator)',
			'for n in node0 node1; do echo $n $(cat $n/cpulist) / $(cat $n/distance) / $(grep MemTotal $n/meminfo); done',
			'for d in 01 11; do echo at-$d=$(cat /sys/bus/pci/devices/0000:$d:00.0/numa_node); done',
		]);
		t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
		// Pages of 4 KiB; those below 16 MiB are in another zone.
		t.deepEqual(zones(guest.output), {0: '4096 + 61440', 1: '65536 + 49152'}, guest.output);
		const nodes = [...guest.output.matchAll(/^node(\d) (\S*) \/ (.*) \/ Node \d MemTotal: (\d+) kB\r?$/gm)];
		t.deepEqual(
			nodes.map(([, node, processors, distances]) => [node, processors, distances]),
			[
				['0', '0', '10 30 20'],
				['1', '1-2', '40 10 20'],
			],
			guest.output,
		);
		// The kernel has taken some before it counts.
		for (const [index, mib] of [256, 192].entries()) {
			const found = Number(nodes[index]?.[4]) / 1024;
			t.true(found <= mib && found > mib / 2, `node ${index} has ${found} MiB`);
		}
		t.regex(guest.output, /^at-11=1\r?$/m);
		t.regex(guest.output, /^at-01=-1\r?$/m);
		t.regex(guest.output, /^initiators=2\r?$/m);
	},
);

/** First page and number of pages of each node's zone DMA32. */
const zones = (output: string) =>
	Object.fromEntries(
		[...output.matchAll(/^Node (\d), zone +DMA32\s+spanned +(\d+)\s+start_pfn: +(\d+)/gm)].map(
			([, node, pages, first]) => [node, `${first} + ${pages}`],
		),
	);
