import {errorTable} from '#support/errors';

const tryAgain = 'Try again later; openvmm image ls lists what needs no registry';

/** Errors of registries of images: of reaching one, and of what it says. */
export const registryError = errorTable({
	REGISTRY_UNREACHABLE: (c: {url: string; what: string}) => ({
		message: `${c.url} cannot be fetched: ${c.what}`,
		remedy: `${tryAgain}. Behind a proxy set HTTPS_PROXY, and NODE_USE_ENV_PROXY=1; from a registry without TLS fetch it with openvmm image pull --plain-http`,
	}),
	REGISTRY_STALLED: (c: {url: string; bytes: number; seconds: number}) => ({
		message: `${c.url} comes too slowly: less than ${c.bytes} bytes came in ${c.seconds} seconds`,
		remedy: `${tryAgain}: it goes on where it broke off`,
	}),
	REGISTRY_SLOW: (c: {url: string; seconds: number}) => ({
		message: `${c.url} has not come whole in ${c.seconds} seconds, which manifests and tokens have`,
		remedy: tryAgain,
	}),
	REGISTRY_CUT_OFF: (c: {url: string; bytes: number; expected: number}) => ({
		message: `${c.url} ended after ${c.bytes} of ${c.expected} bytes`,
		remedy: `${tryAgain}: it goes on where it broke off`,
	}),
	REGISTRY_BUSY: (c: {url: string; seconds: number | undefined}) => ({
		message: `The registry takes no more requests now, says ${c.url}`,
		remedy: `Try again ${c.seconds === undefined ? 'later' : `in ${c.seconds} seconds`}; who logs in may often ask for more (docker login)`,
	}),
	REGISTRY_MISSING: (c: {url: string; what: string}) => ({
		message: `The registry has no ${c.what}: ${c.url}`,
		remedy: 'Check the name and its tag. A name without a host is one on docker.io',
	}),
	REGISTRY_REFUSED: (c: {url: string; status: number; says: string; loggedIn: boolean}) => ({
		message: `The registry does not give ${c.url}: HTTP status ${c.status}${c.says === '' ? '' : `, ${c.says}`}`,
		remedy: c.loggedIn
			? 'Check the name, and that this user may read it; registries say so of what there is not, too'
			: 'Check the name; where it is for some users only, log in: docker login writes ~/.docker/config.json, or openvmm image pull --user',
	}),
	REGISTRY_REDIRECTED: (c: {url: string; what: string}) => ({
		message: `${c.url} leads elsewhere, ${c.what}`,
		remedy: 'Name the registry by the address that it has',
	}),
	REGISTRY_ANSWER_INVALID: (c: {url: string; what: string}) => ({
		message: `${c.url} gave an answer that no registry gives: ${c.what}`,
		remedy: 'Check the name of the registry, and that nothing on the way (a proxy, a login page) answers for it',
	}),
	REGISTRY_MANIFEST_UNSUPPORTED: (c: {url: string; type: string}) => ({
		message: `${c.url} is ${JSON.stringify(c.type)}, which is no image that can be used here`,
		remedy: 'Have it made anew: as an image of OCI, or one of Docker with a manifest of version 2, schema 2',
	}),
	REGISTRY_FILE_DAMAGED: (c: {url: string; expected: string; found: string}) => ({
		message: `${c.url} is not what its name says: it is ${c.found}, not ${c.expected}`,
		remedy: 'Try again later, or take the image from another registry: what this one gives is not taken',
	}),
	REGISTRY_TOO_LARGE: (c: {url: string; most: number}) => ({
		message: `${c.url} has more than the ${c.most} bytes that it may have`,
		remedy: 'Take the image from another registry: what this one gives is not taken',
	}),
	REGISTRY_CREDENTIALS_INVALID: (c: {path: string; what: string}) => ({
		message: `The credentials in ${c.path} cannot be used: ${c.what}`,
		remedy: 'Have it written anew (docker login), or name another folder by DOCKER_CONFIG',
	}),
	REGISTRY_HELPER_FAILED: (c: {program: string; server: string; what: string}) => ({
		message: `${c.program} does not tell the credentials of ${c.server}: ${c.what}`,
		remedy: `See what it says (echo ${c.server} | ${c.program} get), log in again (docker login), or use openvmm image pull --user`,
	}),
});
