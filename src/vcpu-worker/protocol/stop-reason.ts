import type {ErrorData} from '#support/errors';
import type {DebugStop} from '#vcpu-worker/debug';

/** The reason for which a vCPU's run has ended. */
export type StopReason =
	/** The owner asked for it. */
	| {readonly kind: 'requested'}
	/** A guest's request waits in the machine's events. */
	| {readonly kind: 'event'}
	/** Triple fault. */
	| {readonly kind: 'crash'; readonly reason: string}
	/** A stop that a debugger asked for has come. */
	| {readonly kind: 'debug'; readonly stop: DebugStop}
	/** The back end cannot go on, or our own code failed. */
	| {readonly kind: 'failed'; readonly error: ErrorData};
