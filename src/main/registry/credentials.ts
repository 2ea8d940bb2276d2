import {readFile} from 'node:fs/promises';
import {homedir} from 'node:os';
import {join} from 'node:path';
import {registryError} from './errors.ts';

/** Who a registry is told that this is. */
export interface Credentials {
	readonly user: string;
	readonly password: string;
}

/** As `docker login` has it, far more than anybody's. */
const mostBytes = 2 ** 20;
/** Docker's own name of its registry in that file. */
const dockerKeys = ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io'];

/**
 * Credentials that `docker login` has written (`auths` of `config.json`). Those that a helper program keeps are not asked for.
 * @param registry - as names have it
 * @throws VmmError REGISTRY_CREDENTIALS_INVALID
 */
export async function dockerCredentials(
	registry: string,
	environment: NodeJS.ProcessEnv = process.env,
): Promise<Credentials | undefined> {
	const path = join(environment['DOCKER_CONFIG'] || join(homedir(), '.docker'), 'config.json');
	const invalid = (what: string) => registryError('REGISTRY_CREDENTIALS_INVALID', {path, what});
	const text = await readFile(path).catch((error: NodeJS.ErrnoException) => {
		if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
		throw invalid(error.code ?? error.message);
	});
	if (text === undefined) return undefined;
	if (text.length > mostBytes) throw invalid(`it has ${text.length} bytes`);
	let auths: unknown;
	try {
		({auths} = JSON.parse(text.toString('utf8')) as {auths?: unknown});
	} catch {
		throw invalid('it is no JSON');
	}
	if (typeof auths !== 'object' || auths === null) return undefined;
	const keys =
		registry === 'docker.io'
			? dockerKeys
			: [registry, `https://${registry}`, `https://${registry}/v1/`, `https://${registry}/v2/`];
	const key = keys.find((each) => Object.hasOwn(auths, each));
	if (key === undefined) return undefined;
	const entry = (auths as Record<string, unknown>)[key] as {
		auth?: unknown;
		username?: unknown;
		password?: unknown;
	} | null;
	if (typeof entry?.username === 'string' && typeof entry.password === 'string')
		return {user: entry.username, password: entry.password};
	// An entry without credentials says that a helper has them.
	if (typeof entry?.auth !== 'string' || entry.auth === '') return undefined;
	const decoded = Buffer.from(entry.auth, 'base64').toString('utf8');
	const colon = decoded.indexOf(':');
	if (colon <= 0) throw invalid(`that of ${registry} is no user and password`);
	return {user: decoded.slice(0, colon), password: decoded.slice(colon + 1).replace(/\0+$/, '')};
}

/** As HTTP has it (RFC 7617). */
export const basic = ({user, password}: Credentials): string =>
	`Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
