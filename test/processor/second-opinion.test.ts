import {partTests} from './part-test.ts';
import {qemu, translations} from './proof/index.ts';

partTests([qemu, translations]);
