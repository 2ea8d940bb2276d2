import {partTests} from './part-test.ts';
import {accuracy, borders} from './proof/index.ts';

partTests([accuracy, borders]);
