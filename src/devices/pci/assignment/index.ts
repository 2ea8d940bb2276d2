export {assignResources} from './assign.ts';
export {shortageError} from './errors.ts';
export {planResources, type Shortage} from './plan.ts';
