import {partTests} from './part-test.ts';
import {siliconParts} from './proof/index.ts';

partTests(siliconParts);
