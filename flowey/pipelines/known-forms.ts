/** Notes which forms of instructions a stock kernel has, for builds to come. */

import {writeFileSync} from 'node:fs';
import {serialPorts} from '#devices/chipset/serial-16550';
import {vmConfig} from '#main/config';
import {createVm} from '#main/vm';
import {stockFiles} from '#test/stock-kernels';
import {listForms} from '#vcpu-worker/software/decode';
import {PrefixTable, processForms} from '#vcpu-worker/software/shared';
import {type Command, runNode} from '../core/index.ts';
import {knownForms} from '../nodes/generate-files.ts';
import {restorePackages} from '../nodes/restore-packages.ts';

const commandLine = ['console=ttyS0', 'quiet', 'panic=-1', 'openvmm.test=report', 'cryptomgr.notests'];

/** Boots Debian's kernel to its shell on the software processor, and lists what it has met there. */
export const knownFormsCommand: Command = {
	name: 'known-forms',
	usage: '',
	summary:
		"Boot Debian's kernel on the software processor, and note which forms of instructions it has: a build makes its table of them",
	async run() {
		await runNode(restorePackages, {refresh: false});
		const config = vmConfig({
			hypervisor: 'software',
			processors: {count: 1},
			memory: {sizeBytes: 512 * 2 ** 20},
			devices: serialPorts({com1: {kind: 'none'}}),
			boot: {kind: 'linux', ...stockFiles('cloud'), commandLine},
		});
		const vm = await createVm(config);
		await vm.start();
		await vm.ended;
		writeFileSync(knownForms, listForms(new PrefixTable(processForms())));
		await vm.stop();
		return 0;
	},
};
