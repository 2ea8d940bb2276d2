import {partTests} from './part-test.ts';
import {litmus, locked, patching, shootdowns} from './proof/index.ts';

partTests([litmus, locked, shootdowns, patching]);
