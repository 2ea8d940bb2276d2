import type {GdbAddress, ProfileRequest} from '#main/config';
import type {GdbServer} from '#main/debugger';
import type {CreateOptions, Vm} from '#main/vm';
import {programLoader} from '#support/program';
import type {Logger} from './logger.ts';
import type {RunConfig} from './to-config.ts';

/** A machine that has been built, and runs unless it is to wait. */
export interface StartedMachine<M = Vm> {
	readonly machine: M;
	/**
	 * Resolves when those who watch the machine have dealt with its end: a debugger has heard of it, a profile is written. Rejects where that could
	 * not be done.
	 */
	readonly watchersLeft: Promise<void>;
}

/**
 * Builds a machine, opens its debugger's socket and begins its profile where they are wanted, and starts it unless the configuration
 * says `paused`.
 */
export async function startMachine(config: RunConfig, options: CreateOptions, log: Logger): Promise<StartedMachine> {
	const {
		vm: {paused},
		process: {gdb, profile, lockstep},
	} = config;
	const {createVm} = await import('#main/vm');
	const compared = lockstep && new (await import('./lockstep-log.ts')).LockstepLog(log);
	const start = !paused && gdb === undefined && profile === undefined;
	const made = {
		...options,
		start,
		created: () => log.info('Machine created'),
		...(compared && {lockstep: compared.found}),
	};
	const machine = await createVm(config.vm, made);
	// Behind what other threads have asked this one meanwhile.
	setImmediate(programLoader.keepCode);
	if (config.vm.hypervisor === 'auto') {
		const {kind, reason} = machine.hypervisor;
		const line = `The machine runs on ${kind}: ${reason}`;
		if (kind === 'kvm') log.info({hypervisor: kind}, line);
		// It is slower than people expect of a machine, who may not know that theirs has no KVM.
		else log.warn({hypervisor: kind}, line);
	}
	const watchers: Promise<unknown>[] = [];
	try {
		if (gdb !== undefined) watchers.push((await openDebugger(machine, gdb, log)).closed);
		if (compared !== undefined) watchers.push(compared.watch(machine));
		if (profile !== undefined) watchers.push((await beginProfile(machine, profile)).written);
		if (!paused && !start) await machine.start();
		const watchersLeft = Promise.all(watchers).then(() => {});
		// Whoever runs the machine waits for it later.
		watchersLeft.catch(() => {});
		return {machine, watchersLeft};
	} catch (error) {
		await machine.stop();
		throw error;
	}
}

async function openDebugger(machine: Vm, gdb: GdbAddress, log: Logger): Promise<GdbServer> {
	const {serveGdb} = await import('#main/debugger');
	const server = await serveGdb(machine, gdb);
	const {where} = server;
	if (gdb.kind === 'unix' || /^(127\.|\[::1\])/.test(where)) log.info({where}, 'gdb may attach');
	else log.warn({where}, 'Whoever reaches this address controls the guest: --gdb knows no password');
	const {software, hardware} = machine.debugSupport();
	if (!software && !hardware)
		log.warn('Breakpoints are reached by stepping here, which passes over much: guide, "Debugging"');
	return server;
}

/** @throws VmmError PROFILE_…, SYMBOLS_… */
async function beginProfile(machine: Vm, request: ProfileRequest): Promise<{written: Promise<number>}> {
	const {startProfile} = await import('#main/profile');
	const profile = await startProfile(machine, request);
	return {written: machine.ended.then(() => profile.finish())};
}
