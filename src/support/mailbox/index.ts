export {Doorbell, type DoorbellHandle, DoorbellState, inspectDoorbell} from './doorbell.ts';
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
