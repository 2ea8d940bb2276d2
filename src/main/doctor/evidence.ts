import {accessSync, constants, existsSync, readFileSync} from 'node:fs';
import {arch, release} from 'node:os';
import {dirname, join} from 'node:path';
import {type KvmCapabilities, probeKvm} from '#vcpu-worker/kvm';

/** What the findings are drawn from. */
export interface Evidence {
	/** A file's text without the space around it, or undefined where it is missing or closed to us. */
	read(path: string): string | undefined;
	exists(path: string): boolean;
	/** Where a program is found on the path, or undefined. */
	program(name: string): string | undefined;
	/** @throws VmmError when KVM cannot be used */
	probe(): KvmCapabilities;
	readonly kernelRelease: string;
	readonly architecture: string;
	/** Node.js version without `v`. */
	readonly nodeVersion: string;
	readonly nodePath: string;
	/** Root of the checkout this runs from, or undefined in an installed package. */
	readonly checkout: string | undefined;
}

/** The host this process runs on. */
export function hostEvidence(): Evidence {
	return {
		read: readText,
		exists: existsSync,
		program: findProgram,
		probe: probeKvm,
		kernelRelease: release(),
		architecture: arch(),
		nodeVersion: process.versions.node,
		nodePath: process.execPath,
		checkout: findCheckout(import.meta.dirname),
	};
}

function readText(path: string): string | undefined {
	try {
		return readFileSync(path, 'utf8').trim();
	} catch {
		return undefined;
	}
}

function findProgram(name: string): string | undefined {
	const {PATH = ''} = process.env;
	return PATH.split(':')
		.map((directory) => join(directory, name))
		.find(isExecutable);
}

function isExecutable(path: string): boolean {
	try {
		accessSync(path, constants.X_OK);
		return true;
	} catch {
		return false;
	}
}

function findCheckout(from: string): string | undefined {
	if (existsSync(join(from, 'test/incubator')) && existsSync(join(from, 'package.json'))) return from;
	return dirname(from) === from ? undefined : findCheckout(dirname(from));
}
