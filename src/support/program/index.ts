export {loadProgram} from './load-program.ts';
export {type ProgramLoader, programLoader} from './program-loader.ts';
