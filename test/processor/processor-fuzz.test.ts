import {partTests} from './part-test.ts';
import {rewrites, scenes} from './proof/index.ts';

partTests([scenes, rewrites]);
