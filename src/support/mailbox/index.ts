export {
	type CallerOptions,
	inspectMailboxes,
	MailboxCaller,
	type MailboxHandler,
	type MailboxInspection,
	MailboxServer,
	type MailboxSet,
	mailboxBytes,
} from './mailbox.ts';
export {ReadySet, ReadySetState, readySlots} from './ready-set.ts';
export {inspectWaker, Waker, type WakerHandle, WakerState} from './waker.ts';
