export type {
	AgentTransport,
	ConnectAgent,
	ConnectOptions,
	GuestAddress,
	GuestAgent,
	GuestFacts,
	GuestMount,
} from './guest-agent.ts';
export type {
	GuestFileEvent,
	GuestFileKind,
	GuestFileStatus,
	GuestFiles,
	GuestFolderEntry,
	WriteOptions,
} from './guest-files.ts';
export type {
	CommandOptions,
	ExecOptions,
	ExecResult,
	ExitStatus,
	GuestProcess,
	TerminalSize,
} from './guest-process.ts';
