import {join} from 'node:path';
import {type PcieConfig, parsePcieRootComplex, parsePcieRootPort} from '#main/config';
import {
	block,
	compute,
	cpuid,
	endApicInterrupt,
	expect,
	guestProgram,
	input,
	load,
	loopWhile,
	openLocalApic,
	output,
	type Statement,
	set,
	sleepWhile,
	store,
	when,
	word,
} from '#test/guest-program';
import {everyBackEnd, irqchipsHere, vmTest} from '#test/petri';

const engineModule = join(process.cwd(), 'guide/examples/dma-engine.ts');
const content = {kind: 'exit', status: 1} as const;

const pcie: PcieConfig = {
	rootComplexes: [parsePcieRootComplex('rc0,end_bus=15')],
	rootPorts: ['rp0', 'rp1'].map((name) => parsePcieRootPort(`rc0:${name}`)),
	switches: [],
	ecamBelow4Gb: true,
};

/** Below the chipset: 16 MiB of configuration space for 16 buses, of 1 MiB each. */
const ecam = 0xf700_0000;
const endpoint = ecam + 0x10_0000;
const [portIds, engineIds, engineId] = [0xc030_1414, 0xc0de_1414, 0x656e_6744];
const [addressPort, dataPort] = [0xcf8, 0xcfc];
const [command, bar0, bar1, interruptLine] = [0x04, 0x10, 0x14, 0x3c];
const [memory, master] = [2, 4];
/** Behind the Express capability and MSI, as the capability list says. */
const msixControl = 0x94 + 2;
const msixEnable = 0x8000;
/** Registers of the endpoint, `guide/examples/dma-engine.ts`. */
const engine = {ID: 0, SOURCE: 0x08, TARGET: 0x10, LENGTH: 0x18, COMMAND: 0x1c, CAUSE: 0x20, done: 1} as const;
const moveBy = 0x8_0000;
const [source, target, copied] = [0x10_0000, 0x20_0000, 64];
const ioApic = 0xfec0_0000;
/** The first input behind the ISA interrupts. The fake's own interrupt controller gives it this vector. */
const input16 = 16;
const [levelVector, messageVector] = [0x20 + input16, 0x52];
/** Level-triggered, active low. */
const levelEntry = 0xa000 | levelVector;
/** Destinations of 15 bits: KVM, Documentation/virt/kvm/x86/cpuid.rst, MSI_EXT_DEST_ID. */
const messageAddress = (apicId: number) => 0xfee0_0000 + ((apicId & 0xff) << 12) + ((apicId >> 8) << 5);
const entryDestination = (apicId: number) => ((apicId & 0xff) << 24) | ((apicId >> 8) << 17);

const [value, other, bar, table, functions, at, interrupts] = [
	...[word('value'), word('other'), word('BAR'), word('table')],
	...[word('functions'), word('at'), word('interrupts')],
] as const;

const loaded = (from: number | typeof bar, offset: number, wanted: number) =>
	block([load(value, from, 4, offset), expect(value, '==', wanted >>> 0)]);
const readPorts = (address: number, wanted: number) =>
	block([output(addressPort, 4, address | 0), input(value, dataPort, 4), expect(value, '==', wanted)]);
const waitFor = (count: number) => sleepWhile([interrupts, '<', count]);
const register = (offset: number, to: number) => store(bar, 4, to, offset);
const start = block([
	register(engine.SOURCE, source),
	register(engine.TARGET, target),
	register(engine.LENGTH, copied),
	register(engine.COMMAND, 1),
]);

/** Both ways to configuration space, and how many functions there are on the root bus. */
const find: readonly Statement[] = [
	readPorts(0x8000_0000, portIds),
	readPorts(0x8001_0000, engineIds),
	loaded(endpoint, 0, engineIds),
	set(at, ecam),
	loopWhile(
		[at, '<', endpoint],
		load(value, at, 4),
		when([value, '!=', 0xffff_ffff], compute(functions, 'add', 1)),
		compute(at, 'add', 0x1000),
	),
	expect(functions, '==', pcie.rootPorts.length),
];

/** The BAR: its size, and another place. */
const move: readonly Statement[] = [
	load(at, endpoint, 4, bar0),
	store(endpoint, 4, 0, command),
	store(endpoint, 4, -1, bar0),
	loaded(endpoint, bar0, 0xffff_f000),
	set(bar, at),
	compute(bar, 'add', moveBy),
	store(endpoint, 4, bar, bar0),
	store(endpoint, 4, memory | master, command),
	loaded(bar, engine.ID, engineId),
	load(value, at, 4),
	expect(value, '==', 0xffff_ffff),
];

/** An interrupt through the I/O APIC, at the input that firmware put down. */
const byLine = (apicId: number): readonly Statement[] => [
	openLocalApic,
	load(value, endpoint, 1, interruptLine),
	expect(value, '==', input16),
	store(ioApic, 4, 0x11 + 2 * input16),
	store(ioApic, 4, entryDestination(apicId), 0x10),
	store(ioApic, 4, 0x10 + 2 * input16),
	store(ioApic, 4, levelEntry, 0x10),
	start,
	waitFor(1),
	load(value, source, 4),
	load(other, target, 4),
	expect(value, '==', other),
];

/** The same by MSI-X: at once, and masked, when it waits and comes when it may. */
const byMessage = (apicId: number): readonly Statement[] => [
	load(table, endpoint, 4, bar1),
	store(table, 4, messageAddress(apicId)),
	store(table, 4, 0, 4),
	store(table, 4, messageVector, 8),
	store(table, 4, 0, 12),
	store(endpoint, 2, msixEnable | 1, msixControl),
	start,
	waitFor(2),
	store(table, 4, 1, 12),
	start,
	load(value, table, 4, 32),
	expect(value, '==', 1),
	expect(interrupts, '==', 2),
	store(table, 4, 0, 12),
	waitFor(3),
];

const [kvmFeatures, extendedDestinations] = [0x4000_0001, 1 << 15];
const announced: readonly Statement[] = [
	cpuid(value, kvmFeatures),
	compute(value, 'and', extendedDestinations),
	expect(value, '==', extendedDestinations),
];

function endpointProgram(apicId = 0) {
	const handler = [compute(interrupts, 'add', 1), register(engine.CAUSE, engine.done), endApicInterrupt];
	return guestProgram({
		name: 'pci-endpoint',
		main: [...find, ...move, ...(apicId > 255 ? announced : []), ...byLine(apicId), ...byMessage(apicId)],
		handlers: {[levelVector]: handler, [messageVector]: handler},
	});
}

for (const irqchip of irqchipsHere) {
	const title = `an endpoint is found, moved, and interrupts by INTx and MSI-X: irqchip ${irqchip}`;
	vmTest(title, {on: everyBackEnd}, async (t, machine) => {
		const devices = [{module: engineModule, port: 'rp0'}];
		const guest = await machine({irqchip, pcie, program: endpointProgram(), devices});
		await guest.vm.start();
		t.deepEqual(await guest.vm.ended, content);
		t.like(await guest.inspect('vm/devices/dma-engine/state'), {copies: 3, cause: 0});
	});
}

const wide = 'INTx and MSI-X reach a processor with an APIC id above 255 through an I/O APIC of ours';
vmTest(wide, {on: everyBackEnd}, async (t, machine) => {
	const apicId = 300;
	const {vm} = await machine({
		irqchip: 'split',
		processors: {apicIdOffset: apicId},
		pcie,
		program: endpointProgram(apicId),
		devices: [{module: engineModule, options: {port: 'rp0'}}],
	});
	await vm.start();
	t.deepEqual(await vm.ended, content);
});
