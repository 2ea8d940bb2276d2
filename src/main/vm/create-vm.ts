import type {VmConfig} from '#main/config';
import {assembleVm} from './assemble-vm.ts';
import type {CreateOptions} from './create-options.ts';
import type {Vm} from './vm.ts';

/**
 * Builds a machine, powered on and ready to {@link Vm.start}.
 * @throws VmmError for whatever the host cannot give or the configuration gets wrong; nothing is left behind
 */
export async function createVm(config: VmConfig, options: CreateOptions = {}): Promise<Vm> {
	const {vm, devices} = await assembleVm(config, options);
	try {
		await (options.start ? vm.start() : devices.ready());
		return vm;
	} catch (error) {
		await vm.stop();
		throw error;
	}
}
