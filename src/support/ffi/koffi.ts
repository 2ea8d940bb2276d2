// UNSAFE-FFI: loads the library that calls C functions.
import {createRequire} from 'node:module';
import type * as koffiModule from 'koffi';
import {errorTable} from '#support/errors';

const require = createRequire(import.meta.url);

/** The part of koffi that this program uses. */
export type Koffi = Pick<typeof koffiModule, 'load' | 'errno' | 'address' | 'proto' | 'call' | 'view'>;

/**
 * Loads koffi's native module itself where it lies in its platform package, which takes a third of the time that its
 * wrapper needs to find out the C library's flavour; every thread pays for it. The wrapper is the way for all else.
 */
function loadKoffi(): Koffi {
	const {platform, arch} = process;
	try {
		return require(`@koromix/koffi-${platform}-${arch}/${platform}_${arch}/koffi.node`) as Koffi;
	} catch {
		return loadWrapped();
	}
}

const koffiError = errorTable({
	HOST_KOFFI_MISSING: (c: {platform: string; arch: string}) => ({
		message: `C functions cannot be called: koffi has no native module for ${c.platform}-${c.arch} here`,
		remedy: 'Install openvmm again, without --omit=optional',
	}),
});

function loadWrapped(): Koffi {
	try {
		return require('koffi') as Koffi;
	} catch (cause) {
		const {platform, arch} = process;
		throw koffiError('HOST_KOFFI_MISSING', {platform, arch}, {cause});
	}
}

let loaded: Koffi | undefined;

/** koffi, loaded once per thread and only in one that calls C. */
export const koffi = (): Koffi => {
	loaded ??= loadKoffi();
	return loaded;
};
