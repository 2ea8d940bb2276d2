export {Doorbell, type DoorbellHandle, DoorbellState} from './doorbell.ts';
export {
	type CallerOptions,
	MailboxCaller,
	type MailboxHandler,
	MailboxServer,
	type MailboxSet,
	mailboxBytes,
} from './mailbox.ts';
