export {
	type CallerOptions,
	MailboxCaller,
	type MailboxHandler,
	MailboxServer,
	type MailboxSet,
	mailboxBytes,
} from './mailbox.ts';
