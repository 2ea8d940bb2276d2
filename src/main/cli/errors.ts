import {errorTable} from '#support/errors';

/** Errors of a command line's words, and of the files the process itself keeps. */
export const cliError = errorTable({
	CLI_FLAG_UNKNOWN: (c: {flag: string; suggestion: string | undefined; help: string}) => ({
		message: `There is no flag ${c.flag}`,
		remedy: c.suggestion === undefined ? `See ${c.help}` : `Did you mean ${c.suggestion}? See ${c.help}`,
	}),
	CLI_VALUE_MISSING: (c: {flag: string; value: string}) => ({
		message: `${c.flag} needs a value`,
		remedy: `Write ${c.flag} ${c.value}; a value that begins with a dash goes behind an equals sign`,
	}),
	CLI_VALUE_UNEXPECTED: (c: {flag: string; value: string}) => ({
		message: `${c.flag} takes no value, "${c.value}" was given`,
		remedy: `Write ${c.flag} alone`,
	}),
	CLI_ARGUMENT_UNEXPECTED: (c: {argument: string; suggestion: string | undefined; help?: string}) => ({
		message: `Unexpected argument "${c.argument}"`,
		remedy:
			c.suggestion === undefined
				? c.help === undefined
					? 'A kernel goes behind -k, kernel parameters behind -c; see openvmm --help'
					: `See ${c.help}`
				: `Did you mean ${c.suggestion}? See ${c.help ?? 'openvmm --help'}`,
	}),
	CLI_ARGUMENT_MISSING: (c: {argument: string; help: string; running?: readonly string[]}) => ({
		message: `${c.argument} is missing`,
		remedy: `See ${c.help}${c.running === undefined ? '' : `; of your machines ${c.running.length === 0 ? 'none runs' : `run: ${c.running.slice(0, 20).join(', ')}`}`}`,
	}),
	CLI_ARGUMENT_TOO_MANY: (c: {argument: string; help: string}) => ({
		message: `Unexpected argument "${c.argument}"`,
		remedy: `See ${c.help}`,
	}),
	CLI_WORD_UNKNOWN: (c: {word: string; known: string; help: string}) => ({
		message: `"${c.word}" is not known here, "${c.known}" is`,
		remedy: `See ${c.help}`,
	}),
	CLI_FLAGS_CONFLICT: (c: {first: string; second: string}) => ({
		message: `${c.first} conflicts with ${c.second}`,
		remedy: `Leave out one of the two`,
	}),
	CLI_FLAG_NEEDS: (c: {flag: string; needed: string}) => ({
		message: `${c.flag} needs ${c.needed}`,
		remedy: `Add ${c.needed}, or leave out ${c.flag}`,
	}),
	CLI_PIDFILE_LOCKED: (c: {path: string; pid: number | undefined}) => ({
		message: `--pidfile "${c.path}" belongs to a running openvmm${c.pid === undefined ? '' : ` (process ${c.pid})`}`,
		remedy: 'Stop that one first, or name another file',
	}),
	CLI_FILE_FAILED: (c: {option: string; path: string; errno: string}) => ({
		message: `${c.option} "${c.path}" cannot be written: ${c.errno}`,
		remedy: 'Check the path, its permissions and the space left on its disk',
	}),
	CLI_NO_CONSOLE: (c: {name: string}) => ({
		message: `The console of "${c.name}" is kept nowhere: none of its ports is bound to it, or a program has it to itself`,
		remedy:
			'Bind one when it is started (--com1 console), look where --com1 leads, or have the program serve it by name (vm.serve())',
	}),
	CLI_NO_AGENT: (c: {name: string; why: string}) => ({
		message: `No agent answers in the guest of "${c.name}": ${c.why}`,
		remedy:
			'Machines of openvmm run have one, as long as they run, and those with virtio sockets (--virtio-vsock-path) whose guest starts it; look at openvmm ps and openvmm logs',
	}),
	CLI_COPY_ENDS: (c: {from: string; to: string}) => ({
		message: `A copy goes between the host and one machine, and this is from "${c.from}" to "${c.to}"`,
		remedy: 'Write the machine in front of its path: NAME:/path; a file of the host with a colon in its name as ./FILE',
	}),
	CLI_COPY_PATH: (c: {machine: string; path: string}) => ({
		message: `"${c.path}" is no absolute path of the machine "${c.machine}"`,
		remedy: `Write it from the root: ${c.machine}:/${c.path}`,
	}),
	CLI_COPY_FAILED: (c: {from: string; to: string; reason: string}) => ({
		message: `"${c.from}" cannot be copied to "${c.to}": ${c.reason}`,
		remedy: 'What has been copied before stays',
	}),
	CLI_OUTPUT_FAILED: (c: {stream: string; errno: string}) => ({
		message: `What the command writes cannot be written to standard ${c.stream}: ${c.errno}`,
		remedy: 'Look at where that goes, and the space left there; the command has been ended',
	}),
	CLI_STOP_HUNG: (c: {seconds: number}) => ({
		message: `The machine did not stop within ${c.seconds} seconds, openvmm is ended by force`,
		remedy: 'This is a bug in openvmm: please report it with the log (--log-file PATH, OPENVMM_LOG=debug)',
	}),
	CLI_INTERNAL: (c: {what: string}) => ({
		message: `Internal error: ${c.what}`,
		remedy: 'This is a bug in openvmm: please report it with the log (--log-file PATH, OPENVMM_LOG=debug)',
	}),
});
