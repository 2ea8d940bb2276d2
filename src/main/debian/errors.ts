import {errorTable} from '#support/errors';

/** Errors of package lists, of what is chosen from them and of the packages. */
export const debianError = errorTable({
	PACKAGE_CLIENT_MISSING: (c: {program: string}) => ({
		message: `There is no ${c.program} on this host, and it fetches the packages`,
		remedy: 'Do this on a Debian system, 12 or newer',
	}),
	PACKAGE_CLIENT_FAILED: (c: {command: string; said: string}) => ({
		message: `'${c.command}' failed: ${c.said}`,
		remedy: 'Check that this host reaches its package mirror: apt-get update',
	}),
	PACKAGE_RELEASE_UNKNOWN: (c: {suite: string}) => ({
		message: `This host's package sources have no release of Debian, so there is no ${c.suite} beside it`,
		remedy: 'Do this on a Debian system, 12 or newer',
	}),
	PACKAGE_LIST_DAMAGED: (c: {what: string}) => ({
		message: `The package list is damaged: ${c.what}`,
		remedy: 'Fetch the package lists again (apt-get update), or name another mirror',
	}),
	PACKAGE_UNKNOWN: (c: {name: string; architecture: string}) => ({
		message: `There is no package ${c.name} for ${c.architecture} in the package lists`,
		remedy:
			'Check its name, and the suite and the components that the lists are of; lists of apt may be old: apt-get update',
	}),
	PACKAGE_DEPENDENCY_UNMET: (c: {package: string; dependency: string; why: string}) => ({
		message: `Package ${c.package} needs ${c.dependency}, which cannot be had: ${c.why}`,
		remedy: 'Leave the package out, or leave out what it conflicts with',
	}),
	PACKAGES_CONFLICT: (c: {package: string; relation: string; other: string}) => ({
		message: `Package ${c.package} conflicts with ${c.relation}, and ${c.other} was asked for or is needed`,
		remedy: 'Leave one of the two out',
	}),
	PACKAGE_DAMAGED: (c: {package: string; what: string}) => ({
		message: `The package ${c.package} is damaged: ${c.what}`,
		remedy: 'Download it again',
	}),
	PACKAGE_UNSUPPORTED: (c: {package: string; what: string}) => ({
		message: `The package ${c.package} cannot be read here: ${c.what}`,
	}),
});
