import {controllerDisk, integer, word} from './kinds.ts';
import {operation} from './operation.ts';

const controller = {
	kind: word,
	placeholder: 'CONTROLLER',
	help: 'the name of an NVMe controller of the machine',
} as const;

export const diskAdd = operation({
	name: 'disk-add',
	help: 'give an NVMe controller a namespace more, of which the guest is told',
	params: {
		controller,
		disk: {
			kind: controllerDisk('disk-add'),
			placeholder: 'DISK[,OPTIONS]',
			help: 'as --disk has it, without on=: such as disk.img,nsid=3,ro,iops=500. It is no disk in memory',
		},
	},
	result: '`number` of the disk there',
	run: async (vm, values) => ({number: await vm.addDisk(values.controller, values.disk)}),
	print: ({number}) => `${number}`,
	say: ({number}, values) => `Disk ${number} is on ${values.controller}`,
});

export const diskRemove = operation({
	name: 'disk-remove',
	help: 'take a disk from its controller at once, and let go of it: its guest has lost it. What it has been told is written is in it',
	params: {
		controller,
		number: {kind: integer(0, 2 ** 31 - 1), placeholder: 'N', help: 'its NSID'},
	},
	result: 'nothing',
	async run(vm, values) {
		await vm.removeDisk(values.controller, values.number);
		return {};
	},
});
