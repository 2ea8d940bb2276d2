import {
	closeSync,
	constants,
	fstatSync,
	ftruncateSync,
	openSync,
	readFileSync,
	statSync,
	unlinkSync,
	writeSync,
} from 'node:fs';
import {lockFile} from '#support/ffi';
import {cliError} from './errors.ts';

/** A claimed pid file. */
export interface PidFile {
	/** Removes the file. Idempotent. */
	release(): void;
}

/** Tries before giving up on a path whose file keeps being replaced. */
const attempts = 10;

/**
 * Writes this process's id to `path` and holds an flock(2) on the file until {@link PidFile.release} or the
 * end of the process. A file that a crash left behind has no lock and is taken over.
 * @throws CLI_PIDFILE_LOCKED when a running process holds it, CLI_FILE_FAILED
 */
export function claimPidFile(path: string): PidFile {
	try {
		const fd = openLocked(path);
		ftruncateSync(fd);
		writeSync(fd, `${process.pid}\n`, 0);
		return pidFile(path, fd);
	} catch (error) {
		const errno =
			(error as NodeJS.ErrnoException).errno === undefined ? undefined : (error as NodeJS.ErrnoException).code;
		if (errno === undefined) throw error;
		throw cliError('CLI_FILE_FAILED', {option: '--pidfile', path, errno}, {cause: error});
	}
}

function openLocked(path: string): number {
	for (let attempt = 0; attempt < attempts; attempt++) {
		const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o644);
		if (lockFile(fd) < 0) {
			closeSync(fd);
			throw cliError('CLI_PIDFILE_LOCKED', {path, pid: readPid(path)});
		}
		// The owner may have removed the file between our open and our lock: then the name leads elsewhere.
		if (statSync(path, {throwIfNoEntry: false})?.ino === fstatSync(fd).ino) return fd;
		closeSync(fd);
	}
	throw cliError('CLI_PIDFILE_LOCKED', {path, pid: undefined});
}

function readPid(path: string): number | undefined {
	try {
		const pid = Number.parseInt(readFileSync(path, 'utf8'), 10);
		return Number.isNaN(pid) ? undefined : pid;
	} catch {
		return undefined;
	}
}

function pidFile(path: string, fd: number): PidFile {
	let held = true;
	return {
		release() {
			if (!held) return;
			held = false;
			try {
				// Only our own: someone may have put another file there.
				if (statSync(path, {throwIfNoEntry: false})?.ino === fstatSync(fd).ino) unlinkSync(path);
			} catch {
				// The directory may be gone or read-only by now; nothing depends on the removal.
			}
			closeSync(fd);
		},
	};
}
