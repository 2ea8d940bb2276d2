export {type MadeDeb, makeAr, makeDeb, makeParagraph} from './make-deb.ts';
export {type MadeMember, makeTar} from './make-tar.ts';
