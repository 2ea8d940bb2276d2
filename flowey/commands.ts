/** All commands, in the order of the overview. */

import type {Command} from './core/index.ts';
import {incubatorCommand} from './pipelines/incubator.ts';
import {restorePackagesCommand} from './pipelines/restore-packages.ts';

export const COMMANDS: readonly Command[] = [restorePackagesCommand, incubatorCommand];
