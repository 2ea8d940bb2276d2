import {execFile} from 'node:child_process';
import {promisify} from 'node:util';
import type {Credentials} from './credentials.ts';
import {registryError} from './errors.ts';

/** Where a helper is looked for, and what ends it. */
export interface HelperUse {
	readonly environment: NodeJS.ProcessEnv;
	readonly signal: AbortSignal | undefined;
}

/** Some ask a person to unlock what they keep. */
const mostMs = 60_000;
const mostBytes = 2 ** 18;
/** Says that the secret is no password (docker-credential-helpers). */
const tokenUser = '<token>';

/**
 * Asks a program for the credentials of a registry (docker-credential-helpers, "Development"): it is told the server, and tells JSON.
 * @param name - what is behind `docker-credential-` in its name
 * @returns undefined where it has none
 * @throws VmmError REGISTRY_HELPER_FAILED; the signal's reason
 */
export async function askHelper(
	name: string,
	server: string,
	{environment, signal}: HelperUse,
): Promise<Credentials | undefined> {
	const program = `docker-credential-${name}`;
	const failed = (what: string) => registryError('REGISTRY_HELPER_FAILED', {program, server, what});
	if (!/^[\w.-]{1,100}$/.test(name)) throw failed('that is no name of a program');
	const limits = {timeout: mostMs, killSignal: 'SIGKILL', maxBuffer: mostBytes} as const;
	const running = promisify(execFile)(program, ['get'], {...limits, env: environment, ...(signal && {signal})});
	// One that ends without reading says why by its status.
	running.child.stdin?.on('error', () => {});
	running.child.stdin?.end(`${server}\n`);
	let text: string;
	try {
		({stdout: text} = await running);
	} catch (error) {
		signal?.throwIfAborted();
		const {
			stdout = '',
			stderr = '',
			code,
			killed,
		} = error as {
			stdout?: string;
			stderr?: string;
			code?: unknown;
			killed?: boolean;
		};
		if (/credentials not found/.test(stdout)) return undefined;
		// What it says might be a secret of somebody's: the first line of its complaints is enough.
		const said = (stderr || stdout).split('\n')[0]?.slice(0, 200) ?? '';
		throw failed(code === null && killed ? `it was ended after ${mostMs / 1000} seconds` : `${code} ${said}`.trim());
	}
	try {
		const {Username: user, Secret: secret} = JSON.parse(text) as Readonly<Record<string, unknown>>;
		if (typeof user === 'string' && typeof secret === 'string' && secret !== '')
			return user === tokenUser ? {identityToken: secret} : {user, password: secret};
	} catch {}
	throw failed('what it told is no user and no secret');
}
