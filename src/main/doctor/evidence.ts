import {accessSync, constants, existsSync, readFileSync} from 'node:fs';
import {release} from 'node:os';
import {dirname, join} from 'node:path';
import {isVmmError} from '#support/errors';
import {type HostFacts, hostFacts} from '#support/host';
import {type ChosenHypervisor, chooseHypervisor, loadHypervisors} from '#vcpu-worker/back-ends';
import type {HostEvidence, Hypervisor} from '#vcpu-worker/hypervisor';

/** A hypervisor as the doctor sees it. */
type Examined = Pick<Hypervisor, 'kind' | 'examine'>;

/** Facts about the host that the findings are drawn from. */
export interface Evidence extends HostEvidence {
	exists(path: string): boolean;
	/** Path of a program that is found on PATH, or undefined. */
	program(name: string): string | undefined;
	/** Hypervisors that can be asked for. */
	readonly hypervisors: readonly Examined[];
	/** The one that a machine runs on which asks for none; undefined where none works. */
	readonly chosen: ChosenHypervisor<Examined> | undefined;
	readonly kernelRelease: string;
	readonly host: HostFacts;
	/** Node.js version without `v`. */
	readonly nodeVersion: string;
	readonly nodePath: string;
	/** Root of the checkout this runs from, or undefined in an installed package. */
	readonly checkout: string | undefined;
}

/** The host this process runs on. */
export async function hostEvidence(): Promise<Evidence> {
	return {
		read: readText,
		exists: existsSync,
		program: findProgram,
		hypervisors: await loadHypervisors(),
		chosen: await chosenHere(),
		kernelRelease: release(),
		host: hostFacts(),
		nodeVersion: process.versions.node,
		nodePath: process.execPath,
		checkout: findCheckout(import.meta.dirname),
	};
}

async function chosenHere(): Promise<ChosenHypervisor | undefined> {
	try {
		return await chooseHypervisor('auto');
	} catch (error) {
		// Its own findings say the same with more detail.
		if (isVmmError(error)) return undefined;
		throw error;
	}
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
