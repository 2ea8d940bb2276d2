export {pathsOf, tables} from './columns.ts';
export {type ScreenSize, topLines} from './top-text.ts';
export {WatchedMachine} from './watched-machine.ts';
