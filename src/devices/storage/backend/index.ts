export {
	type BackendHost,
	backendBytes,
	backendSavedParts,
	DiskBackend,
	hostBelow,
	type OpenDisk,
} from './disk-backend.ts';
export {diskReport, type ReportedDisk} from './disk-report.ts';
export {type DiskLimits, parseDiskLimits} from './limits.ts';
export {
	type DiskPolicy,
	type ErrorAction,
	errorActions,
	givenPolicy,
	isPolicy,
	mayHold,
	mostTimeout,
	policyHelp,
	policyKeys,
	policyOption,
} from './policy.ts';
export {shareBytes} from './share.ts';
