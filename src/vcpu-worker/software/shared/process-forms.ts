import {closeSync, openSync, readSync} from 'node:fs';
import type {SharedMemory} from '#support/shared-memory';
import {PrefixTable} from './prefix-table.ts';

/** Set by the bundler: the code runs from a folder where the table lies as the build has made it. */
declare const __OPENVMM_BUNDLED__: boolean | undefined;

let forms: SharedMemory | undefined;

/**
 * The table of forms of all machines of this process whose processors have the features that it is for. It begins with the forms that the build
 * knows of; without those it is for the features of the first machine.
 */
export function processForms(): SharedMemory {
	if (forms !== undefined) return forms;
	forms = PrefixTable.allocate();
	if (typeof __OPENVMM_BUNDLED__ === 'undefined') return forms;
	const file = openSync(new URL('./forms.bin', import.meta.url), 'r');
	try {
		new PrefixTable(forms).load((target) => void readSync(file, target));
	} finally {
		closeSync(file);
	}
	return forms;
}
