import {partTests} from './part-test.ts';
import {comparedScenes, rewrites, scenes} from './proof/index.ts';

partTests([scenes, comparedScenes, rewrites]);
