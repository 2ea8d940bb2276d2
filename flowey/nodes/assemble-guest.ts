/** Writes the embedded guest beside the bundle, so that no start of a machine has to assemble it. */

import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {defaultGuest} from '#main/default-guest';
import type {FloweyNode} from '../core/index.ts';

/** Assembles the embedded guest into a folder, as `default-guest.elf`. */
export const assembleGuest: FloweyNode<{readonly folder: string}, void> = {
	name: 'assemble-guest',
	async run(_context, {folder}) {
		writeFileSync(join(folder, 'default-guest.elf'), defaultGuest().image);
	},
};
