import {join} from 'node:path';
import {parseArgs} from 'node:util';
import {type Command, PATHS, runNode} from './core/index.ts';
import {declarations} from './nodes/declarations.ts';
import {LIBRARIES} from './nodes/entry-points.ts';
import {compileAgents, restoreCompilers} from './nodes/guest-agent.ts';
import {checkImportCircles} from './nodes/import-circles.ts';
import {restoreKernels} from './nodes/restore-kernels.ts';
import {restorePackages} from './nodes/restore-packages.ts';
import {restoreRegistry} from './nodes/restore-registry.ts';
import {checkSmallFiles} from './nodes/small-files.ts';
import {benchCommand} from './pipelines/bench.ts';
import {buildCommand} from './pipelines/build.ts';
import {incubatorCommand} from './pipelines/incubator.ts';
import {knownFormsCommand} from './pipelines/known-forms.ts';
import {linuxCommand} from './pipelines/linux.ts';
import {proofCommand} from './pipelines/proof.ts';
import {testCommand} from './pipelines/test.ts';

/** Takes longer than the build, and only who installs the package needs it: `npm pack` and `npm publish` run it. */
const declarationsCommand: Command = {
	name: 'declarations',
	usage: '',
	summary: 'Write the type declarations of the package into dist/types/',
	async run() {
		await runNode(declarations, {entryPoints: LIBRARIES, folder: join(PATHS.dist, 'types')});
		return 0;
	},
};

/** Part of `npm run check`. */
const importsCommand: Command = {
	name: 'imports',
	usage: '',
	summary: 'Refuse files and folders that import each other in a circle, and small files that only one other imports',
	async run() {
		await runNode(checkImportCircles, PATHS.repo);
		await runNode(checkSmallFiles, PATHS.repo);
		return 0;
	},
};

/** Fetches what tests boot. */
const restorePackagesCommand: Command = {
	name: 'restore-packages',
	usage: '[--all] [--refresh]',
	summary:
		'Fetch a stock Debian kernel, Xen, memtest86+, busybox and a registry of images into .packages/ and build the initial file systems of tests; with --all also the kernels for hardware',
	async run(words) {
		const flag = {type: 'boolean', default: false} as const;
		const {values} = parseArgs({args: [...words], options: {all: flag, refresh: flag}});
		await runNode(restorePackages, {refresh: values.refresh});
		await runNode(restoreRegistry, undefined);
		if (values.all) await runNode(restoreKernels, {refresh: values.refresh});
		return 0;
	},
};

/** After a change of its sources; tests compare. */
const guestAgentCommand: Command = {
	name: 'guest-agent',
	usage: '',
	summary: 'Compile the guest agent for each architecture and write the binaries that are committed',
	async run() {
		await runNode(restoreCompilers, undefined);
		await runNode(compileAgents, undefined);
		return 0;
	},
};

/** All commands, in the order of the overview. */
export const COMMANDS: readonly Command[] = [
	buildCommand,
	declarationsCommand,
	importsCommand,
	testCommand,
	proofCommand,
	knownFormsCommand,
	linuxCommand,
	benchCommand,
	incubatorCommand,
	restorePackagesCommand,
	guestAgentCommand,
];
