import {errorTable} from '#support/errors';
import {errnoName} from '#support/ffi';
import type {Reactor} from '#support/reactor';
import type {EngineName, IoEngine} from './io-engine.ts';
import {PoolEngine} from './pool-engine.ts';
import {UringEngine} from './uring-engine.ts';

const engineError = errorTable({
	IO_URING_UNAVAILABLE: ({errno}: {errno: number}) => ({
		message: `This host lets nobody use io_uring as disks need it: ${errnoName(errno)}`,
		remedy:
			'It takes Linux 5.8 and nothing that denies it (seccomp of a container, kernel.io_uring_disabled); without engine=io_uring threads do the I/O',
	}),
});

/**
 * Opens what does I/O on files for this thread: io_uring where the host has it, threads of Node's pool otherwise.
 * @param name - the one that it has to be
 * @throws VmmError IO_URING_UNAVAILABLE
 */
export function openIoEngine(reactor: Reactor, name?: EngineName): IoEngine {
	if (name === 'threads') return new PoolEngine(reactor);
	const engine = UringEngine.open(reactor);
	if (typeof engine !== 'number') return engine;
	if (name === undefined) return new PoolEngine(reactor);
	throw engineError('IO_URING_UNAVAILABLE', {errno: engine});
}
