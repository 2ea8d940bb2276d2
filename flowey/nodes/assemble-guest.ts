/** Writes the embedded guest beside the bundle, so that no start of a machine has to assemble it. */

import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {embeddedGuest} from '#flowey/embedded-guest';
import type {FloweyNode} from '../core/index.ts';

/** Assembles the embedded guest into a folder, as `embedded-guest.elf`. */
export const assembleGuest: FloweyNode<{readonly folder: string}, void> = {
	name: 'assemble-guest',
	async run(_context, {folder}) {
		mkdirSync(folder, {recursive: true});
		writeFileSync(join(folder, 'embedded-guest.elf'), embeddedGuest().image);
	},
};
