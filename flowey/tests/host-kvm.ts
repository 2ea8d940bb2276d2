/** Finds out what KVM of this machine can do for us. */

import {closeSync, constants, existsSync, openSync} from 'node:fs';

/**
 * - `native`: runs stock kernels at full speed.
 * - `pvm`: emulates supervisor code in the kernel; micro kernels run, a stock Linux does not get through its boot.
 * - `none`: there is no /dev/kvm, or we may not use it; `why` says which.
 */
export type HostKvm = {readonly kind: 'native' | 'pvm'} | {readonly kind: 'none'; readonly why: string};

/** Looks at this machine. */
export function detectHostKvm(): HostKvm {
	if (process.env['OPENVMM_INCUBATOR'] === '1') {
		return {kind: 'native'};
	}
	try {
		closeSync(openSync('/dev/kvm', constants.O_RDWR));
	} catch (error) {
		const code = (error as NodeJS.ErrnoException).code;
		const why = code === 'ENOENT' ? 'no /dev/kvm' : `/dev/kvm does not open (${code}): join the group kvm`;
		return {kind: 'none', why};
	}
	return {kind: existsSync('/sys/module/kvm_pvm') ? 'pvm' : 'native'};
}
