import {join} from 'node:path';
import {type PcieConfig, parsePcieRootComplex, parsePcieRootPort, parsePcieSwitch} from '#main/config';
import {irqchipsHere, linuxTest, runInLinux, until, untilThere} from '#test/petri';

const engine = join(process.cwd(), 'guide/examples/dma-engine.ts');

/** A slot, a port with a device, and a switch whose second port has one. */
const pcie: Partial<PcieConfig> = {
	rootComplexes: [parsePcieRootComplex('rc0,end_bus=31')],
	rootPorts: ['rp0,hotplug', 'rp1', 'rp2,addr=3'].map((text) => parsePcieRootPort(`rc0:${text}`)),
	switches: [parsePcieSwitch('rp2:sw0,num_downstream_ports=2')],
};
const device = (port: string, name: string) => ({module: engine, name, port});

/** Says each function's address, ids, class and driver. */
const list =
	'for d in /sys/bus/pci/devices/*; do echo fn=$(basename $d) $(cat $d/vendor $d/device $d/class) $(readlink $d/driver); done';
const said = (output: string) =>
	[...output.matchAll(/^fn=0000:(\S+) (\S+) (\S+) (\S+)(?: .*\/(\w+))?\r?$/gm)].map((match) =>
		match.slice(1).join(' ').trim(),
	);

/** Turns a function on and says the first register of its first BAR. */
const readBar = (address: string) => {
	const folder = `/sys/bus/pci/devices/0000:${address}`;
	return `echo 1 >${folder}/enable; read start end flags <${folder}/resource; echo id=$(devmem $start 32)`;
};
const barRead = /^id=0x656E6744\r?$/m;

/** Writes a register of a function, resets the function one way, and says the register again, with that of its id. */
const resetBy = (method: string, address: string) => {
	const folder = `/sys/bus/pci/devices/0000:${address}`;
	return [
		`read start end flags <${folder}/resource`,
		'devmem $((start + 8)) 32 0x5000',
		'before=$(devmem $((start + 8)) 32)',
		`echo ${method} >${folder}/reset_method`,
		`echo 1 >${folder}/reset && echo ${method}-reset=$before,$(devmem $((start + 8)) 32),$(devmem $start 32)`,
	].join('; ');
};
const wasReset = (method: string) => new RegExp(`^${method}-reset=0x00005000,0x00000000,0x656E6744\\r?$`, 'm');

const functions = [
	'00:00.0 0x1414 0xc030 0x060400 pcieport',
	'00:00.1 0x1414 0xc030 0x060400 pcieport',
	'00:03.0 0x1414 0xc030 0x060400 pcieport',
	'02:00.0 0x1414 0xc0de 0xff0000',
	'03:00.0 0x1414 0xc031 0x060400 pcieport',
	'04:00.0 0x1414 0xc032 0x060400 pcieport',
	'04:00.1 0x1414 0xc032 0x060400 pcieport',
	'06:00.0 0x1414 0xc0de 0xff0000',
];

for (const irqchip of irqchipsHere) {
	linuxTest(
		`Linux finds ports, switch and devices, reaches a BAR behind the switch and resets its device: irqchip ${irqchip}`,
		async (t, machine) => {
			const lines = [
				list,
				readBar('06:00.0'),
				resetBy('bus', '06:00.0'),
				resetBy('flr', '06:00.0'),
				'echo irq=$(cat /sys/bus/pci/devices/0000:06:00.0/irq)',
				'echo bridges=$(dmesg | grep -c PCI.host.bridge.to.bus)',
				'dmesg | grep -iE pci.*can.t.assign',
				'cat /proc/interrupts',
			];
			const devices = [device('rp1', 'near'), device('sw0-downstream-1', 'far')];
			const guest = await runInLinux(machine, {irqchip, processors: {count: 2}, pcie, devices}, lines);
			t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
			t.deepEqual(said(guest.output), functions);
			t.regex(guest.output, barRead);
			for (const method of ['bus', 'flr']) t.regex(guest.output, wasReset(method));
			t.regex(guest.output, /^irq=19\r?$/m, 'the switch is device 3 of the root bus');
			t.regex(guest.output, /^bridges=1\r?$/m, 'the kernel shows its messages');
			t.notRegex(guest.output, /can't assign/i);
			t.regex(guest.output, /PCI-MSI.*(pciehp|PCIe)/);
		},
	);
}

linuxTest('Linux takes a device that comes while it runs, and lets it go', async (t, machine) => {
	const folder = '/sys/bus/pci/devices/0000:01:00.0';
	const lines = [
		'echo waiting',
		// It has its folder before it has an address.
		untilThere(`${folder}/resource0`),
		list,
		readBar('01:00.0'),
		'echo it has come',
		until(`[ ! -e ${folder} ]`),
		'echo it has gone',
	];
	const guest = await runInLinux(machine, {processors: {count: 2}, pcie}, lines);
	await guest.waitFor(/^waiting/m);
	t.is(await guest.vm.addPcieDevice('rp0', {module: engine}), 'dma-engine');
	await guest.waitFor(/^it has come/m);
	t.true(said(guest.output).includes('01:00.0 0x1414 0xc0de 0xff0000'), guest.output);
	t.regex(guest.output, barRead, 'at an address that Linux has given it');
	await guest.vm.removePcieDevice('rp0');
	await guest.waitFor(/^it has gone/m);
	t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
	await t.throwsAsync(guest.vm.inspect('vm/devices/dma-engine'), {code: 'INSPECT_PATH_NOT_FOUND'});
});
