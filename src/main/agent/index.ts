export type {AgentTransport} from './connection.ts';
export {agentError} from './errors.ts';
export type {GuestFacts} from './greeting.ts';
export {
	agentPort,
	agentPortName,
	type ConnectOptions,
	type GuestAddress,
	GuestAgent,
	type GuestMount,
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
