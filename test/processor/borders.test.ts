import {partTests} from './part-test.ts';
import {borders} from './proof/index.ts';

partTests([borders]);
