import {device, toggle, word} from './kinds.ts';
import {operation} from './operation.ts';

const port = {kind: word, placeholder: 'PORT', help: 'a PCI Express port with hotplug'} as const;

export const pcieAdd = operation({
	name: 'pcie-add',
	help: 'plug a device into a PCI Express port with hotplug: a disk, or one of your own',
	params: {
		port,
		device: {
			kind: device('pcie-add'),
			placeholder: 'DEVICE[,OPTIONS]',
			help: 'its kind with options (help --devices), such as virtio-blk,disk=disk.img, or the path of a module, as --device has it',
		},
	},
	result: '`name` of the device',
	run: async (vm, values) => ({name: await vm.addPcieDevice(values.port, values.device)}),
	print: ({name}) => name,
	say: ({name}, values) => `Device ${name} is at ${values.port}`,
});

export const pcieRemove = operation({
	name: 'pcie-remove',
	help: 'pull the device at the port out: at once, or when the guest has let go of it',
	params: {
		port,
		ask: {
			kind: toggle,
			flag: 'ask',
			optional: true,
			help: "press the port's button, and wait until the guest has let go (Linux takes 5 s before it begins); for ports with button",
		},
	},
	result: 'nothing',
	async run(vm, {port: at, ask}, {signal}) {
		await vm.removePcieDevice(at, {...(ask !== undefined && {asks: ask}), ...(signal && {signal})});
		return {};
	},
});
