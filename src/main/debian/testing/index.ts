export {type MadeDeb, makeAr, makeDeb, makeParagraph} from './make-deb.ts';
