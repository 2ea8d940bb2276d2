/** All commands, in the order of the overview. */

import type {Command} from './core/index.ts';
import {benchCommand} from './pipelines/bench.ts';
import {buildCommand} from './pipelines/build.ts';
import {circlesCommand} from './pipelines/circles.ts';
import {declarationsCommand} from './pipelines/declarations.ts';
import {incubatorCommand} from './pipelines/incubator.ts';
import {linuxCommand} from './pipelines/linux.ts';
import {restorePackagesCommand} from './pipelines/restore-packages.ts';
import {testCommand} from './pipelines/test.ts';

export const COMMANDS: readonly Command[] = [
	buildCommand,
	declarationsCommand,
	circlesCommand,
	testCommand,
	linuxCommand,
	benchCommand,
	incubatorCommand,
	restorePackagesCommand,
];
