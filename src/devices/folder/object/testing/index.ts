export {calledObject} from './called-object.ts';
