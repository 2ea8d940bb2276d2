import {partTests} from './part-test.ts';
import {litmus, locked} from './proof/index.ts';

partTests([litmus, locked]);
