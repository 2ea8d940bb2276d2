export {type MadeMember, makeTar} from './make-tar.ts';
