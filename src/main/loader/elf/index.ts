export {type ElfFile, type ElfSegment, isElf, readElf} from './elf-file.ts';
export {type ElfNote, elfNotes} from './notes.ts';
export {elfPieces, physicalEntry} from './segments.ts';
