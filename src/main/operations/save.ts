import {file} from './kinds.ts';
import {operation} from './operation.ts';
import {shellLine} from './shell-line.ts';

export const dumpCore = operation({
	name: 'dump-core',
	help: 'write processors and memory to an ELF core file, for gdb and crash',
	params: {path: {kind: file, placeholder: 'PATH', help: 'the file to write'}},
	result: '`path`',
	async run(vm, {path}, {progress, signal}) {
		await vm.dumpCore(path, {progress, signal});
		return {path};
	},
	say: ({path}) => `The guest's core dump is in "${path}"`,
});

export const saveSnapshot = operation({
	name: 'save-snapshot',
	help: 'save the machine to a folder, from which others can be made; it goes on',
	params: {path: {kind: file, placeholder: 'DIR', help: 'the folder to write'}},
	result: '`path`, and `restore`, the words of the command that makes a machine of it',
	async run(vm, {path}, {progress, signal}) {
		await vm.saveSnapshot(path, {progress, signal});
		return {path, restore: ['openvmm', 'restore', path]};
	},
	print: ({restore}) => shellLine(restore),
	say: ({path, restore}) => `The snapshot is in "${path}": ${shellLine(restore)}`,
});
