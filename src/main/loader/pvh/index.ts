export {loadPvh, pvhEntry} from './pvh.ts';
