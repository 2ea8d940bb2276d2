import {array, type FieldsView, f64, u32, wire} from '#support/wire';
import {mostIoQueues, mostNamespaces} from './handle.ts';

/** Queue pairs with the admin queue, which is number 0. */
export const mostQueues = mostIoQueues + 1;
/** Asynchronous Event Requests that the driver may have open: as OpenVMM's. */
export const mostEventRequests = 4;

/** Aborts of commands of I/O queues that the driver may have open: as OpenVMM's. */
export const mostAborts = 4;

/** Commands that the controller keeps for later at most, and the words of each. */
export const mostLeft = 128;
export const leftWords = 17;

/** Life of a submission queue. */
export const Phase = {OFF: 0, ON: 1, DELETING: 2} as const;

/** A submission queue in shared state. */
export const SubmissionState = wire('nvme-submission-queue', {
	phase: u32,
	size: u32,
	baseLow: u32,
	baseHigh: u32,
	/** Completion queue that it is on. */
	completions: u32,
	head: u32,
	/** The last tail that could be. */
	tail: u32,
	/** Commands that are fetched and not completed; each has a free entry of the completion queue. */
	inFlight: u32,
	/** Command that waits for the queue's deletion. */
	deleter: u32,
});

/** A completion queue in shared state. */
export const CompletionState = wire('nvme-completion-queue', {
	on: u32,
	size: u32,
	baseLow: u32,
	baseHigh: u32,
	/** The last head that could be. */
	head: u32,
	tail: u32,
	/** Phase tag of the entries of this lap. */
	phase: u32,
	/** Entries that commands in flight have for themselves. */
	reserved: u32,
	/** Somebody waits for the driver to take entries. */
	isAwaited: u32,
	interrupts: u32,
	vector: u32,
});

/** Life of an {@link AbortState}. */
export const AbortPhase = {NONE: 0, ASKED: 1, LOOKED: 2} as const;

/** An Abort whose command is for the worker of its queue to look for. */
export const AbortState = wire('nvme-abort', {
	phase: u32,
	/** Submission queue and id of the command, as Abort has them (NVM Express Base 2.0, 5.1). */
	command: u32,
	/** Id of the Abort itself. */
	id: u32,
	/** First dword of its completion. */
	result: u32,
});

/** What the driver is told of a namespace; all but its number are 0 before that. See `namespace-slots.ts`. */
export const NamespaceTold = wire('nvme-namespace', {
	nsid: u32,
	blockBytes: u32,
	bytes: f64,
	/** What moves its data, counted from 1 in the list of movers. */
	mover: u32,
});
export type NamespaceTold = FieldsView<(typeof NamespaceTold)['fields']>;

/** All of a controller that changes while a guest runs. The doorbells' words are written without the lock, all else under it. */
export const NvmeState = wire('nvme', {
	configuration: u32,
	/** Controller Status, ready and fatal. */
	status: u32,
	/** Shutdown Status. */
	shutdown: u32,
	/** 1 from the reset that the driver asked for until nothing is in flight. */
	resetting: u32,
	interruptMask: u32,
	adminSizes: u32,
	adminSubmissionLow: u32,
	adminSubmissionHigh: u32,
	adminCompletionLow: u32,
	adminCompletionHigh: u32,
	/** As the driver rang them: tail and head of each pair. */
	doorbells: array(u32, 2 * mostQueues),
	submissions: array(SubmissionState, mostQueues),
	completions: array(CompletionState, mostQueues),
	/** Shadow doorbells and event indices, pages of the driver's; both 0 where there are none. */
	shadowLow: u32,
	shadowHigh: u32,
	eventIndexLow: u32,
	eventIndexHigh: u32,
	/** Values of features, in the order of their table. */
	features: array(u32, 16),
	/** By vector, a bit: interrupts of it are not to be coalesced. */
	uncoalesced: array(u32, 2),
	/** Open Asynchronous Event Requests by command id, the first so many. */
	eventRequests: array(u32, mostEventRequests),
	openRequests: u32,
	aborts: array(AbortState, mostAborts),
	/** Events that nobody has been told of, and those that have been told of and whose log page was not read: bits. */
	events: u32,
	unreadEvents: u32,
	/** Number of errors, and the queue that the last one is of: the log has one entry. */
	errors: f64,
	errorQueue: u32,
	/** Namespaces that have come or gone since the driver looked, by their slots. */
	changedNamespaces: u32,
	/** Namespaces that the driver does not see, likewise. */
	detachedNamespaces: u32,
	namespaces: array(NamespaceTold, mostNamespaces),
	/** Counts the requests of the machine's owner to look how long the disks are. */
	measures: u32,
	bytesRead: f64,
	bytesWritten: f64,
	reads: f64,
	writes: f64,
	mediaErrors: f64,
	/** Commands that are to be tried again when the machine goes on, the first so many: each its queue's number and all of itself. */
	left: array(u32, mostLeft * leftWords),
	leftCount: u32,
});

export type NvmeFields = (typeof NvmeState)['fields'];
export type ControllerState = FieldsView<NvmeFields>;
export type Submission = FieldsView<(typeof SubmissionState)['fields']>;
export type Completion = FieldsView<(typeof CompletionState)['fields']>;
