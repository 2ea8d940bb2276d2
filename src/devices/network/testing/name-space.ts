import {spawnSync} from 'node:child_process';

const isCi = process.env['CI'] !== undefined && process.env['CI'] !== 'false';
/** Of a shell, where there is no such program. */
const notFound = 127;

/** Words of unshare(1) that run a command of the shell in a network name space of its own, of which the caller is root. */
export const inNameSpace = (command: string, ...words: readonly string[]): string[] => [
	...['-rn', 'sh', '-c', command, 'sh'],
	...words,
];

/**
 * Looks whether a test may run in a network name space of its own, by a command that it will need there. Most hosts let a user have one, and a tap
 * interface in it. Where nobody watches (CI) no test goes missing unheard: that the host lets nobody is said, and a program that is
 * missing, which `.ci/run` installs, is the test's failure.
 */
export function mayInNameSpace(command: string): boolean {
	const {status, stderr, error} = spawnSync('unshare', inNameSpace(command), {
		encoding: 'utf8',
		stdio: ['ignore', 'ignore', 'pipe'],
	});
	if (status === 0) return true;
	const isMissing = error !== undefined || status === notFound;
	if (isCi && !isMissing)
		process.stderr.write(`Tests in a network name space are skipped, as this host lets nobody: ${command}: ${stderr}`);
	return isCi && isMissing;
}

/** A tap interface. */
export const makeTap = 'ip tuntap add dev ovm0 mode tap';
