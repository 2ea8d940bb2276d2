import {type TransferHandler, transferHandlers} from 'comlink';
import {type ErrorData, VmmError} from '#support/errors';

/** A thrown value as comlink hands it to the 'throw' handler. */
interface Thrown {
	readonly value: unknown;
}

/** A thrown value as it crosses threads: our errors as their data, other errors by name, message and stack. */
type Crossing =
	| {readonly kind: 'vmm'; readonly data: ErrorData}
	| {readonly kind: 'error'; readonly message: string; readonly stack: string | undefined}
	| {readonly kind: 'value'; readonly value: unknown};

const base = transferHandlers.get('throw') as TransferHandler<Thrown, unknown>;

/** Structured clone drops an error's own fields; this handler keeps the code, remedy and context of ours. */
export const throwHandler: TransferHandler<Thrown, Crossing> = {
	canHandle: base.canHandle,
	serialize: ({value}) => {
		if (value instanceof VmmError) return [{kind: 'vmm', data: value.toData()}, []];
		if (value instanceof Error) return [{kind: 'error', message: value.message, stack: value.stack}, []];
		return [{kind: 'value', value}, []];
	},
	deserialize: (crossing) => {
		if (crossing.kind === 'vmm') throw new VmmError(crossing.data);
		if (crossing.kind === 'value') throw crossing.value;
		const error = new Error(crossing.message);
		if (crossing.stack !== undefined) error.stack = crossing.stack;
		throw error;
	},
};
