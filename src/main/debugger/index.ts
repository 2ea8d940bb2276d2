export type {Debuggee} from './debuggee.ts';
export {GdbServer} from './gdb-server.ts';
