import {readFile} from 'node:fs/promises';
import {homedir} from 'node:os';
import {join} from 'node:path';
import {isVmmError} from '#support/errors';
import {askHelper} from './credential-helper.ts';
import type {Credentials} from './credentials.ts';
import {registryError} from './errors.ts';

/** As `docker login` has it, far more than anybody's. */
const mostBytes = 2 ** 20;
/** Docker's own name of its registry in that file. */
const dockerKeys = ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io'];

/** What `docker login` writes of one registry. Without credentials it says that a helper has them. */
interface Entry {
	readonly auth?: unknown;
	readonly username?: unknown;
	readonly password?: unknown;
	readonly identitytoken?: unknown;
}

/**
 * Credentials that `docker login` has written (`auths` of `config.json`), or that a helper program keeps (`credHelpers`, `credsStore`). A helper
 * that cannot be asked is an error only where the registry is told to be one of its own: many have the name of one that is not there.
 * @param registry - as names have it
 * @throws VmmError REGISTRY_CREDENTIALS_INVALID, REGISTRY_HELPER_FAILED; the signal's reason
 */
export async function dockerCredentials(
	registry: string,
	environment: NodeJS.ProcessEnv = process.env,
	signal?: AbortSignal,
): Promise<Credentials | undefined> {
	const path = join(environment['DOCKER_CONFIG'] || join(homedir(), '.docker'), 'config.json');
	const invalid = (what: string) => registryError('REGISTRY_CREDENTIALS_INVALID', {path, what});
	const text = await readFile(path).catch((error: NodeJS.ErrnoException) => {
		if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
		throw invalid(error.code ?? error.message);
	});
	if (text === undefined) return undefined;
	if (text.length > mostBytes) throw invalid(`it has ${text.length} bytes`);
	let config: Readonly<Record<string, unknown>> | null;
	try {
		config = JSON.parse(text.toString('utf8'));
	} catch {
		throw invalid('it is no JSON');
	}
	const keys =
		registry === 'docker.io'
			? dockerKeys
			: [registry, `https://${registry}`, `https://${registry}/v1/`, `https://${registry}/v2/`];
	const [server = registry] = keys;
	const entry = fieldOf(config?.['auths'], keys) as Entry | null | undefined;
	const written = entryCredentials(entry, () => invalid(`that of ${registry} is no user and password`));
	if (written !== undefined) return written;
	const own = fieldOf(config?.['credHelpers'], keys);
	const helper = own ?? config?.['credsStore'];
	if (typeof helper !== 'string' || helper === '') return undefined;
	return askHelper(helper, server, {environment, signal}).catch((error) => {
		if (isVmmError(error) && own === undefined && entry === undefined) return undefined;
		throw error;
	});
}

function fieldOf(value: unknown, keys: readonly string[]): unknown {
	if (typeof value !== 'object' || value === null) return undefined;
	const key = keys.find((each) => Object.hasOwn(value, each));
	return key === undefined ? undefined : (value as Readonly<Record<string, unknown>>)[key];
}

function entryCredentials(entry: Entry | null | undefined, invalid: () => Error): Credentials | undefined {
	if (typeof entry?.identitytoken === 'string' && entry.identitytoken !== '')
		return {identityToken: entry.identitytoken};
	if (typeof entry?.username === 'string' && typeof entry.password === 'string')
		return {user: entry.username, password: entry.password};
	if (typeof entry?.auth !== 'string' || entry.auth === '') return undefined;
	const decoded = Buffer.from(entry.auth, 'base64').toString('utf8');
	const colon = decoded.indexOf(':');
	if (colon <= 0) throw invalid();
	return {user: decoded.slice(0, colon), password: decoded.slice(colon + 1).replace(/\0+$/, '')};
}
