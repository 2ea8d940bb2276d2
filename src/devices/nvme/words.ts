import {diskMovers} from '#devices/storage/disk';
import type {FieldsView} from '#support/wire';
import type {NvmeConfig} from './handle.ts';
import {slotOf} from './namespace-slots.ts';
import {Configuration, Shutdown, Status} from './registers.ts';
import {type NvmeFields, Phase} from './state.ts';

const shutdowns: Readonly<Record<number, string>> = {
	[Shutdown.UNDER_WAY]: 'is making all durable',
	[Shutdown.COMPLETE]: 'has made all durable',
};

/** Says what the driver does with the controller, for inspect. */
export function nvmeWords(state: FieldsView<NvmeFields>, {namespaces}: NvmeConfig): Readonly<Record<string, string>> {
	const queues = state.submissions.filter(({phase}, queue) => queue > 0 && phase !== Phase.OFF).length;
	const detached = (slot: number) => (state.detachedNamespaces & (1 << slot)) !== 0;
	return {
		controller: doing(state),
		queues: `${queues} for I/O`,
		namespaces: namespaces
			.map(({nsid, readOnly}) => {
				const slot = slotOf(state, nsid);
				const {bytes, mover} = state.namespaces[slot] ?? {bytes: 0, mover: 0};
				return `${nsid}: ${bytes} bytes by ${diskMovers[mover - 1] ?? 'nothing'}${readOnly ? ', only read' : ''}${detached(slot) ? ', not attached' : ''}`;
			})
			.join('; '),
		doorbells: (state.shadowLow | state.shadowHigh) === 0 ? 'registers' : 'memory of the driver',
		events: `${state.openRequests} awaited, ${state.errors} errors`,
	};
}

function doing({status, resetting, shutdown, configuration}: FieldsView<NvmeFields>): string {
	if (resetting !== 0) return 'is being reset';
	if ((status & Status.FATAL) !== 0) return 'has failed, and has to be reset';
	const word = shutdowns[shutdown];
	if (word !== undefined) return word;
	return (configuration & Configuration.ENABLE) !== 0 ? 'is used' : 'is not used';
}
