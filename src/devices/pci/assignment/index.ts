export {type AssignedComplex, assignResources} from './assign.ts';
