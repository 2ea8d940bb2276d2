import {digestExpected, digestForm} from './digest.ts';
import {ociError} from './errors.ts';

/** An image on a registry, by its whole name. */
export interface ImageReference {
	/** `HOST` or `HOST:PORT`, as it is written in names. */
	readonly registry: string;
	readonly repository: string;
	readonly tag: string | undefined;
	/** A checksum: it alone counts where there is a tag too. */
	readonly digest: string | undefined;
}

/** What is meant where no registry is named, as with Docker; and what that is called where nobody names a person or a group. */
const usualRegistry = 'docker.io';
const usualOwner = 'library';
/** Names are repository and registry together (distribution specification 1.1, "Pulling manifests"). */
const mostBytes = 255;

const part = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const repositoryForm = new RegExp(`^${part}(?:/${part})*$`);
const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?';
const registryForm = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[0-9a-fA-F:.]{2,45}\\])(?::\\d{1,5})?$`);
const tagForm = /^\w[\w.-]{0,127}$/;

/** Reads a name as Docker does: `debian`, `debian:12`, `host:5000/team/app@sha256:…`. @throws VmmError OCI_NAME_INVALID */
export function parseReference(name: string): ImageReference {
	const invalid = (what: string) => ociError('OCI_NAME_INVALID', {name: name.slice(0, 300), what});
	if (name.length > mostBytes + 200) throw invalid('it is too long');
	const [before = '', digest, ...more] = name.split('@');
	if (more.length > 0 || (digest !== undefined && !digestForm.test(digest)))
		throw invalid(`its digest is not ${digestExpected}`);
	const slash = before.indexOf('/');
	const first = before.slice(0, Math.max(slash, 0));
	// What has no dot and no port is somebody's name on the usual registry.
	const hasRegistry = /[.:]/.test(first) || first === 'localhost';
	const rest = hasRegistry ? before.slice(slash + 1) : before;
	const colon = rest.lastIndexOf(':');
	const path = colon < 0 ? rest : rest.slice(0, colon);
	const tag = colon < 0 ? undefined : rest.slice(colon + 1);
	const registry = hasRegistry ? first : usualRegistry;
	const repository = registry === usualRegistry && !path.includes('/') ? `${usualOwner}/${path}` : path;
	// Forms allow what no host and no port is: 999.1.1.1, [::::], :99999.
	if (!registryForm.test(registry) || !URL.canParse(`https://${registry}/`))
		throw invalid(`${JSON.stringify(registry.slice(0, 80))} is no registry`);
	if (!repositoryForm.test(repository))
		throw invalid('names have small letters and digits, and between them dots, dashes and underscores');
	if (repository.length + registry.length > mostBytes) throw invalid(`it has more than ${mostBytes} characters`);
	if (tag !== undefined && !tagForm.test(tag)) throw invalid(`${JSON.stringify(tag.slice(0, 80))} is no tag`);
	return {registry, repository, tag: tag ?? (digest === undefined ? 'latest' : undefined), digest};
}

/** The whole name, which stands for nothing else. */
export const referenceText = ({registry, repository, tag, digest}: ImageReference): string =>
	`${registry}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
