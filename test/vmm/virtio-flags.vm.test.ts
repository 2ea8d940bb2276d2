import {parsePcieRootComplex, parsePcieRootPort, type VmOptions} from '#main/config';
import {
	block,
	compute,
	expect,
	guestProgram,
	input,
	load,
	loopWhile,
	type Operand,
	output,
	type Statement,
	set,
	store,
	word,
} from '#test/guest-program';
import {flagged, vmTest} from '#test/petri';

/**
 * A driver's access to a device: the registers' base, their offsets and widths (virtio 1.2, 4.1.4.3 and 4.2.2), its
 * notifications.
 */
interface Transport {
	readonly options: VmOptions;
	readonly find: Statement;
	readonly registers: Readonly<Record<Register, readonly [offset: number, size: 1 | 2 | 4]>>;
	notify(queue: number): Statement;
}
type Register = 'select' | 'features' | 'status' | 'queue' | 'size' | 'enable' | 'table' | 'driver' | 'device';

const [flag, base] = ['mem:64K,num_queues=2', word('base')];
/** Configuration space of the first function behind the first port, by the PC's ports. */
const configure = (offset: number) => output(0xcf8, 4, 0x8001_0000 + offset);

const transports: Readonly<Record<'pci' | 'mmio', Transport>> = {
	pci: {
		options: {
			pcie: {
				rootComplexes: [parsePcieRootComplex('rc0,end_bus=15')],
				rootPorts: [parsePcieRootPort('rc0:rp0')],
			},
			devices: flagged({'virtio-blk': [`${flag},workers=2,pcie_port=rp0`]}),
		},
		find: block([
			configure(0x10),
			input(base, 0xcfc, 4),
			compute(base, 'and', 0xffff_fff0),
			configure(4),
			// Memory and bus master.
			output(0xcfc, 2, 6),
		]),
		registers: {
			select: [0x08, 4],
			features: [0x0c, 4],
			status: [0x14, 1],
			queue: [0x16, 2],
			size: [0x18, 2],
			enable: [0x1c, 2],
			table: [0x20, 4],
			driver: [0x28, 4],
			device: [0x30, 4],
		},
		notify: (queue) => store(base, 2, queue, 0x3000 + 4 * queue),
	},
	mmio: {
		options: {devices: flagged({'virtio-blk': [flag]})},
		find: set(base, 0xf802_0000),
		registers: {
			select: [0x24, 4],
			features: [0x20, 4],
			status: [0x70, 4],
			queue: [0x30, 4],
			size: [0x38, 4],
			enable: [0x44, 4],
			table: [0x80, 4],
			driver: [0x90, 4],
			device: [0xa0, 4],
		},
		notify: (queue) => store(base, 4, queue, 0x50),
	},
};

const [header, data, status] = [0x30_8000, 0x30_9000, 0x30_a000];
/** Gives the addresses of a queue's rings. */
const ringsOf = (queue: number) => {
	const table = 0x30_0000 + 0x3000 * queue;
	return {table, driver: table + 0x1000, device: table + 0x2000};
};

/** A driver with this transport: it sets two queues up. */
function begin({find, registers}: Transport): Statement {
	const write = (register: Register, value: Operand) => {
		const [offset, size] = registers[register];
		return store(base, size, value, offset);
	};
	const queues = [0, 1].map((queue) => {
		const {table, driver, device} = ringsOf(queue);
		return block([
			write('queue', queue),
			write('size', 8),
			write('table', table),
			write('driver', driver),
			write('device', device),
			write('enable', 1),
		]);
	});
	// The second word of features has bit 32, VERSION_1.
	const negotiate = [
		write('status', 1),
		write('status', 3),
		write('select', 1),
		write('features', 1),
		write('status', 0xb),
	];
	return block([find, ...negotiate, ...queues, write('status', 0xf)]);
}

/** The first request of a queue, about sector 3: it waits until the device is done. */
function request({notify}: Transport, queue: number, type: 'read' | 'write'): Statement {
	const {table, driver, device} = ringsOf(queue);
	const used = word('used');
	const describe = (index: number, [at, length, flags]: readonly [number, number, number]) =>
		block([
			store(table, 4, at, 16 * index),
			store(table, 4, length, 16 * index + 8),
			store(table, 4, flags + ((index + 1) << 16), 16 * index + 12),
		]);
	const [next, writable] = [1, 2];
	return block([
		store(header, 4, type === 'read' ? 0 : 1),
		store(header, 4, 3, 8),
		store(status, 1, 0xee),
		...[
			[header, 16, next] as const,
			[data, 512, type === 'read' ? next | writable : next] as const,
			[status, 1, writable] as const,
		].map((buffer, index) => describe(index, buffer)),
		store(driver, 2, 1, 2),
		notify(queue),
		set(used, 0),
		loopWhile([used, '==', 0], load(used, device, 2, 2)),
		load(used, status, 1),
		expect(used, '==', 0),
	]);
}

vmTest('a disk in a port that the machine lacks is refused', {on: ['fake', 'kvm']}, async (t, machine) => {
	const devices = flagged({'virtio-blk': ['mem:64K,pcie_port=rp9']});
	const refused = machine({devices, program: guestProgram({name: 'nothing', main: []})});
	await t.throwsAsync(refused, {code: 'PCI_PLACE_UNKNOWN', message: /virtio-blk is to sit on rp9/});
});

for (const [name, transport] of Object.entries(transports)) {
	const title = `a disk that a flag asks for gives back by one queue what another has written, over ${name}`;
	vmTest(title, {on: ['fake', 'kvm']}, async (t, machine) => {
		const value = word('value');
		const program = guestProgram({
			name: 'disk',
			main: [
				begin(transport),
				store(data, 4, 0x1234_5678, 508),
				request(transport, 0, 'write'),
				store(data, 4, 0, 508),
				request(transport, 1, 'read'),
				load(value, data, 4, 508),
				expect(value, '==', 0x1234_5678),
			],
		});
		const guest = await machine({...transport.options, program});
		await guest.vm.start();
		t.deepEqual(await guest.vm.ended, {kind: 'exit', status: 1});
	});
}

vmTest('what is asked of a disk that a controller has not is refused', {on: ['fake', 'kvm']}, async (t, machine) => {
	const disk = {kind: 'memory', bytes: 2 ** 16} as const;
	const guest = await machine({
		pcie: transports.pci.options.pcie ?? {},
		devices: [
			{
				kind: 'nvme',
				name: 'fast',
				port: 'rp0',
				options: {serial: 'fast', namespaces: [{nsid: 1, disk, readOnly: false}]},
			},
			{
				kind: 'virtio-scsi-mmio',
				name: 'scsi',
				options: {
					base: 0xf802_0000,
					serial: 'scsi',
					units: [
						{lun: 2, disk, readOnly: false},
						{lun: 3, disk, readOnly: true, dvd: true},
					],
				},
			},
		],
		program: guestProgram({name: 'nothing', main: []}),
	});
	const refused = (device: string, command: object, message: RegExp) =>
		t.throwsAsync(guest.vm.control(device, command as never), {code: 'DEVICE_COMMAND_REFUSED', message});
	for (const kind of ['attach-namespace', 'detach-namespace'])
		await refused('fast', {kind, nsid: 2}, /fast cannot do \w+-namespace: it has no namespace 2, but 1/);
	for (const kind of ['attach-lun', 'detach-lun', 'eject-medium', 'insert-medium'])
		await refused('scsi', {kind, lun: 0}, /it has no unit 0, but 2, 3/);
	for (const kind of ['eject-medium', 'insert-medium'])
		await refused('scsi', {kind, lun: 2}, /it has a disk as unit 2, whose medium stays in it/);
	await refused('scsi', {kind: 'insert-medium', lun: 3, path: '/disc.iso'}, /it has no raw file in unit 3/);
	await guest.vm.control('fast', {kind: 'detach-namespace', nsid: 1} as never);
	await guest.vm.control('scsi', {kind: 'detach-lun', lun: 2} as never);
	await guest.vm.stop();
});
