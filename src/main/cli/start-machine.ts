import type {CreateOptions, Vm} from '#main/vm';
import {programLoader} from '#support/program';
import type {Logger} from './logger.ts';
import type {RunConfig} from './to-config.ts';

/** A machine that has been built, and runs unless it is to wait. */
export interface StartedMachine<M = Vm> {
	readonly machine: M;
	/** Resolves when a debugger that was attached has heard of the machine's end. */
	readonly debuggerLeft: Promise<void>;
}

/** Builds a machine, opens its debugger's socket where one is wanted, and starts it unless the configuration says `paused`. */
export async function startMachine(config: RunConfig, options: CreateOptions, log: Logger): Promise<StartedMachine> {
	const {
		vm: {paused},
		process: {gdb},
	} = config;
	const {createVm} = await import('#main/vm');
	const start = !paused && gdb === undefined;
	const machine = await createVm(config.vm, {...options, start, created: () => log.info('Machine created')});
	// Behind what other threads have asked this one meanwhile.
	setImmediate(programLoader.keepCode);
	if (config.vm.hypervisor === 'auto') {
		const {kind, reason} = machine.hypervisor;
		const line = `The machine runs on ${kind}: ${reason}`;
		if (kind === 'kvm') log.info({hypervisor: kind}, line);
		// It is slower than people expect of a machine, who may not know that theirs has no KVM.
		else log.warn({hypervisor: kind}, line);
	}
	if (gdb === undefined) return {machine, debuggerLeft: Promise.resolve()};
	try {
		const {serveGdb} = await import('#main/debugger');
		const {where, closed} = await serveGdb(machine, gdb);
		if (gdb.kind === 'unix' || /^(127\.|\[::1\])/.test(where)) log.info({where}, 'gdb may attach');
		else log.warn({where}, 'Whoever reaches this address controls the guest: --gdb knows no password');
		const {software, hardware} = machine.debugSupport();
		if (!software && !hardware)
			log.warn('Breakpoints are reached by stepping here, which passes over much: guide, "Debugging"');
		if (!paused) await machine.start();
		return {machine, debuggerLeft: closed};
	} catch (error) {
		await machine.stop();
		throw error;
	}
}
