import type {ErrorData} from '#support/errors';
import type {DebugStop} from '#vcpu-worker/debug';

/** Why a vCPU's run ended. */
export type StopReason =
	/** The owner asked for it. */
	| {readonly kind: 'requested'}
	/** A guest's request waits in the machine's events. */
	| {readonly kind: 'event'}
	/** Triple fault. */
	| {readonly kind: 'crash'; readonly reason: string}
	/** What a debugger asked for has come. */
	| {readonly kind: 'debug'; readonly stop: DebugStop}
	/** The back end cannot go on, or our own code failed. */
	| {readonly kind: 'failed'; readonly error: ErrorData};
