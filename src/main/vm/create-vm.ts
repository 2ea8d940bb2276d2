import type {VmConfig} from '#main/config';
import {abortable} from '#support/abort';
import {assembleVm} from './assemble-vm.ts';
import type {CreateOptions} from './create-options.ts';
import type {Vm} from './vm.ts';

/**
 * Builds a machine, powered on and ready to {@link Vm.start}.
 * @throws VmmError OPERATION_ABORTED, and for whatever the host cannot give or the configuration gets wrong; nothing is left behind
 */
export function createVm(config: VmConfig, options: CreateOptions = {}): Promise<Vm> {
	const {signal, start, created} = options;
	return abortable('create', signal, async () => {
		const {vm, devices} = await assembleVm(config, options);
		try {
			signal?.throwIfAborted();
			created?.();
			// From here on it is too late: a guest may have run, and its machine is the caller's to end.
			await (start ? vm.start() : devices.ready());
			return vm;
		} catch (error) {
			await vm.stop();
			throw error;
		}
	});
}
