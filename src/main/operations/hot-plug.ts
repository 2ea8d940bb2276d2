import {device, word} from './kinds.ts';
import {operation} from './operation.ts';

const port = {kind: word, placeholder: 'PORT', help: 'a PCI Express port with hotplug'} as const;

export const pcieAdd = operation({
	name: 'pcie-add',
	help: 'plug a device of your own, as --device has it, into a PCI Express port with hotplug',
	params: {
		port,
		device: {kind: device('pcie-add'), placeholder: 'PATH[,OPTIONS]', help: 'the device, as --device has it'},
	},
	result: '`name` of the device',
	run: async (vm, values) => ({name: await vm.addPcieDevice(values.port, values.device)}),
	print: ({name}) => name,
	say: ({name}, values) => `Device ${name} is at ${values.port}`,
});

export const pcieRemove = operation({
	name: 'pcie-remove',
	help: 'pull the device at the port out',
	params: {port},
	result: 'nothing',
	async run(vm, values) {
		await vm.removePcieDevice(values.port);
		return {};
	},
});
