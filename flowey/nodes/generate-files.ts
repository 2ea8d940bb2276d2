/** Writes what bundles find beside them, so that no start of a machine has to make it: the embedded guest, the interpreter, what writes records of known forms and those forms, and what asks for fused products. */

import {copyFileSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {basename, join} from 'node:path';
import {embeddedGuest} from '#flowey/embedded-guest';
import {buildFormWriter, makeForms} from '#vcpu-worker/software/decode';
import {buildFuseCheck} from '#vcpu-worker/software/fuse-check';
import {buildInterpreter} from '#vcpu-worker/software/interpreter';
import {type FloweyNode, PATHS} from '../core/index.ts';
import {agentTargets, builtAgent} from '../guest-agent/index.ts';

/** Forms of instructions that Debian's kernel has in a boot, as `flowey known-forms` notes them. */
export const knownForms: string = join(PATHS.repo, 'src/vcpu-worker/software/decode/known-forms.bin');

/** Makes the files of a folder of bundles that come from code and not from esbuild. */
export const generateFiles: FloweyNode<{readonly folder: string}, void> = {
	name: 'generate-files',
	async run(_context, {folder}) {
		mkdirSync(folder, {recursive: true});
		writeFileSync(join(folder, 'embedded-guest.elf'), embeddedGuest().image);
		for (const path of agentTargets.map(({architecture}) => builtAgent(architecture)))
			copyFileSync(path, join(folder, basename(path)));
		writeFileSync(join(folder, 'interpreter.wasm'), buildInterpreter());
		writeFileSync(join(folder, 'form-writer.wasm'), buildFormWriter());
		writeFileSync(join(folder, 'fuse-check.wasm'), buildFuseCheck());
		writeFileSync(join(folder, 'forms.bin'), makeForms(readFileSync(knownForms)).image());
	},
};
