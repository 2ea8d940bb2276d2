export {X87} from './x87.ts';
