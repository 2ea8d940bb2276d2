import {guestSymbols, readGuestKernel, type SymbolTable} from '#main/symbols';
import type {Vm} from '#main/vm';
import {toJson} from '#support/inspect';
import type {CodeDifference} from '#vcpu-worker/hypervisor';
import type {Logger} from './logger.ts';

/** What it takes of a machine. */
type WatchedVm = Pick<Vm, 'ended' | 'inspect' | 'kernelNotes' | 'memory'>;

/** Logs what lockstep finds, by the kernel's symbols where these are known. */
export class LockstepLog {
	readonly #log: Logger;
	#machine: WatchedVm | undefined;
	#symbols: SymbolTable | undefined;

	constructor(log: Logger) {
		this.#log = log;
	}

	/** The machine is made. @returns when it has ended and how much was compared is logged */
	async watch(machine: WatchedVm): Promise<void> {
		this.#machine = machine;
		await machine.ended;
		const compared = toJson(await machine.inspect('vm/vcpus/0/counters/lockstep')) as object;
		this.#log.warn(compared, 'Lockstep has ended');
	}

	/** @param difference - what has been found */
	readonly found = async ({address, executed, text}: CodeDifference): Promise<void> => {
		const at = `0x${address.toString(16)}`;
		const symbol = await this.#symbolAt(address).catch(() => undefined);
		this.#log.warn({at, ...(symbol && {symbol}), instructions: executed}, `A translation is wrong: ${text}`);
	};

	async #symbolAt(address: bigint): Promise<string | undefined> {
		const machine = this.#machine;
		if (machine === undefined) return undefined;
		// A kernel has them when it has come up.
		if (this.#symbols === undefined || this.#symbols.size === 0) this.#symbols = await kernelSymbols(machine);
		const symbol = this.#symbols.find(address);
		return symbol && `${symbol.name}+0x${(address - symbol.address).toString(16)}`;
	}
}

async function kernelSymbols(machine: WatchedVm): Promise<SymbolTable> {
	const notes = await machine.kernelNotes();
	return guestSymbols([], notes === undefined ? undefined : readGuestKernel(machine.memory, notes));
}
