import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import type {PcieConfig} from '#main/config';
import {toJson} from '#support/inspect';
import {debugExit, testVm} from '#test/petri';
import {exitPort, pciEndpoint} from '#test/tmk';

const example = join(process.cwd(), 'guide/examples/dma-engine.ts');
const folder = mkdtempSync(join(tmpdir(), 'openvmm-pcie-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const mib = 2 ** 20;
/** Below the chipset: 16 MiB of configuration space for 16 buses; the window lies below it. */
const ecam = 0xf700_0000;
const port = {rootComplex: 'rc0', hotplug: false, acs: 0x5f, pasid: false};
const pcie: PcieConfig = {
	rootComplexes: [
		{
			name: 'rc0',
			segment: 0,
			startBus: 0,
			endBus: 15,
			lowMmioBytes: 64 * mib,
			highMmioBytes: 64 * mib,
			preserveBars: false,
		},
	],
	rootPorts: [
		{...port, name: 'rp0'},
		{...port, name: 'rp1'},
	],
	switches: [],
	ecamBelow4Gb: true,
};

for (const irqchip of ['kernel', 'split'] as const) {
	for (const route of ['shared', 'remote'] as const) {
		test.serial(
			`an endpoint is found, moved, and interrupts by INTx and MSI-X: irqchip ${irqchip}, ${route}`,
			async (t) => {
				const image = join(folder, 'kernel');
				writeFileSync(image, pciEndpoint({ecam, rootFunctions: 2}).image);
				const {vm} = await testVm(t, {
					irqchip,
					pcie,
					boot: {kind: 'flat', image, address: 0x10_0000, mode: 'long'},
					devices: [debugExit(exitPort), {module: example, route, port: 'rp0'}],
				});
				await vm.start();
				t.deepEqual(await vm.ended, {kind: 'exit', status: 1});
				t.like(toJson(await vm.inspect('vm/devices/dma-engine/state')), {copies: 3, cause: 0});
			},
		);
	}
}

test.serial('INTx and MSI-X reach a processor with an APIC id above 255 through an I/O APIC of ours', async (t) => {
	const image = join(folder, 'wide');
	const apicId = 300;
	writeFileSync(image, pciEndpoint({ecam, rootFunctions: 2, apicId}).image);
	const {vm} = await testVm(t, {
		irqchip: 'split',
		processors: {apicIdOffset: apicId},
		pcie,
		boot: {kind: 'flat', image, address: 0x10_0000, mode: 'long'},
		devices: [debugExit(exitPort), {module: example, options: {port: 'rp0'}}],
	});
	await vm.start();
	t.deepEqual(await vm.ended, {kind: 'exit', status: 1});
});
