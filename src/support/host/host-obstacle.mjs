// Why a host cannot run openvmm at all. Plain JavaScript, as the launcher is, which asks before anything else is loaded.
import {createRequire} from 'node:module';

const {closeSync, openSync, readSync} = createRequire(import.meta.url)('node:fs');

/** An ELF file's headers, and the name of the loader that it asks for, lie in its first page. */
const headBytes = 4096;

/**
 * Facts about a host that decide whether anything can run there: architecture and version as `process` has them, and the dynamic loader
 * of the program that runs this, or undefined where it has none.
 * @typedef {{readonly architecture: string, readonly version: string, readonly loader: string | undefined}} HostFacts
 */

/**
 * The facts about the host and the Node.js that run this.
 * @returns {HostFacts}
 */
export function hostFacts() {
	facts ??= {architecture: process.arch, version: process.version, loader: loaderOf(process.execPath)};
	return facts;
}

/** @type {HostFacts | undefined} */
let facts;

/**
 * Name of the dynamic loader that a program in a file asks for (elf(5), PT_INTERP): its C library is the one that this belongs to.
 * @param {string} path
 * @returns {string | undefined}
 */
export function loaderOf(path) {
	try {
		const fd = openSync(path, 'r');
		try {
			const head = Buffer.alloc(headBytes);
			readSync(fd, head, 0, headBytes, 0);
			return /(?:^|\0)([^\0]*\bld-[^\0]+)/.exec(head.toString('latin1'))?.[1];
		} finally {
			closeSync(fd);
		}
	} catch {
		return undefined;
	}
}

/**
 * Says why nothing can run on such a host; undefined where nothing is known to be in the way.
 * @param {HostFacts} facts
 * @returns {{readonly code: string, readonly message: string, readonly remedy: string} | undefined}
 */
export function hostObstacle({architecture, version, loader}) {
	if (architecture !== 'x64') {
		return {
			code: 'HOST_ARCHITECTURE',
			message: `This host is ${architecture}, and guests are x86-64: the software processor needs a host whose processors see each other's memory in the order of x86, KVM one of the guest's kind`,
			remedy: 'Use an x86-64 host',
		};
	}
	if (loader?.includes('ld-musl-')) {
		return {
			code: 'HOST_LIBC',
			message: `This Node.js ${version} is made for the C library musl (${loader}), and openvmm needs one for glibc: neither the Node.js that it brings nor its calls of C functions are made for musl`,
			remedy: 'Use a host or a container image with glibc, such as Debian instead of Alpine',
		};
	}
	return undefined;
}
