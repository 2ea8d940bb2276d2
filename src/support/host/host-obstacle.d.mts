import type {ErrorText} from '#support/errors';

/** Facts about a host that decide whether anything can run there. */
export interface HostFacts {
	/** As `process.arch` has it. */
	readonly architecture: string;
	/** As `process.version` has it. */
	readonly version: string;
	/** Dynamic loader of the program that runs this, or undefined where it has none. */
	readonly loader: string | undefined;
}

/** The facts about the host and the Node.js that run this. */
export function hostFacts(): HostFacts;
/** Dynamic loader that a program in a file asks for, or undefined. */
export function loaderOf(path: string): string | undefined;
/** Says why nothing can run on such a host; undefined where nothing is known to be in the way. */
export function hostObstacle(facts: HostFacts): (ErrorText & {readonly code: string}) | undefined;
