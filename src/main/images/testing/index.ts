export {debs, release, systemDebs} from './made-distribution.ts';
